// Cells of Lattice's ECP5 of which Yosys knows no behaviour, in the modes that its own mapping and our vendor
// multiplier use. A mode that is not modelled is an error when the model is built or, where it is chosen by a
// signal, when it runs; ports of features that are not modelled do not exist.

// As Yosys' own, in a form that is simulated faster.
module LUT4 (input A, B, C, D, output Z);
  parameter [15:0] INIT = 0;
  assign Z = INIT[{D, C, B, A}];
endmodule

module LUT2 (input A, B, output Z);
  parameter [3:0] INIT = 0;
  assign Z = INIT[{B, A}];
endmodule

module TRELLIS_FF (input CLK, LSR, CE, DI, output reg Q);
  parameter GSR = "ENABLED", CEMUX = "1", CLKMUX = "CLK", LSRMUX = "LSR", SRMODE = "LSR_OVER_CE", REGSET = "RESET";
  generate
    if (CEMUX != "1" && CEMUX != "CE" && CEMUX != "INV" || CLKMUX != "CLK" || LSRMUX != "LSR" ||
        SRMODE != "LSR_OVER_CE" || REGSET != "SET" && REGSET != "RESET")
      $error("TRELLIS_FF: a mode that is not modelled");
  endgenerate
  initial Q = REGSET == "SET";
  always @(posedge CLK)
    if (LSR) Q <= REGSET == "SET";
    else if (CEMUX == "1" || CE != (CEMUX == "INV")) Q <= DI;
endmodule

// A register within a multiplier: none, or one with a chosen clock, clock enable and synchronous reset.
module systolith_ecp5_dsp_register #(
  parameter BITS = 1, parameter CLOCK = "NONE", parameter ENABLE = "CE0", parameter RESET = "RST0"
) (
  input [3:0] clk, ce, rst,
  input [BITS-1:0] d,
  output [BITS-1:0] q
);
  localparam integer C = CLOCK == "CLK0" ? 0 : CLOCK == "CLK1" ? 1 : CLOCK == "CLK2" ? 2 : CLOCK == "CLK3" ? 3 : 4;
  localparam integer E = ENABLE == "CE0" ? 0 : ENABLE == "CE1" ? 1 : ENABLE == "CE2" ? 2 : ENABLE == "CE3" ? 3 : 4;
  localparam integer R = RESET == "RST0" ? 0 : RESET == "RST1" ? 1 : RESET == "RST2" ? 2 : RESET == "RST3" ? 3 : 4;
  generate
    if (CLOCK == "NONE") assign q = d;
    else if (C == 4 || E == 4 || R == 4) $error("MULT18X18D: a register that is not modelled");
    else begin : kept
      reg [BITS-1:0] state = 0;
      always @(posedge clk[C])
        if (rst[R]) state <= 0;
        else if (ce[E]) state <= d;
      assign q = state;
    end
  endgenerate
endmodule

// 18x18 bits, each signed or unsigned, with registers at the inputs, behind the multiplier and at the output.
// The signs are registered with their operands.
module MULT18X18D (
  input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  input CLK3, CLK2, CLK1, CLK0, CE3, CE2, CE1, CE0, RST3, RST2, RST1, RST0,
  output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
    P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0";
  parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0";
  parameter REG_INPUTC_CLK = "NONE", REG_INPUTC_CE = "CE0", REG_INPUTC_RST = "RST0";
  parameter REG_PIPELINE_CLK = "NONE", REG_PIPELINE_CE = "CE0", REG_PIPELINE_RST = "RST0";
  parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0";
  parameter CLK0_DIV = "ENABLED", CLK1_DIV = "ENABLED", CLK2_DIV = "ENABLED", CLK3_DIV = "ENABLED";
  parameter HIGHSPEED_CLK = "NONE", GSR = "ENABLED", CAS_MATCH_REG = "FALSE", SOURCEB_MODE = "B_SHIFT";
  parameter MULT_BYPASS = "DISABLED", RESETMODE = "SYNC";

  generate
    if (HIGHSPEED_CLK != "NONE" || CAS_MATCH_REG != "FALSE" || MULT_BYPASS != "DISABLED" || RESETMODE != "SYNC" ||
        REG_INPUTC_CLK != "NONE")
      $error("MULT18X18D: a mode that is not modelled");
  endgenerate
  always @* if (SOURCEA || SOURCEB) $fatal(1, "MULT18X18D: operands from the shift chain are not modelled");

  wire [3:0] clk = {CLK3, CLK2, CLK1, CLK0}, ce = {CE3, CE2, CE1, CE0}, rst = {RST3, RST2, RST1, RST0};
  wire [18:0] a, b;
  wire signed [18:0] wide_a = {a[18] & a[17], a[17:0]}, wide_b = {b[18] & b[17], b[17:0]};
  wire signed [37:0] exact = wide_a * wide_b;
  wire [35:0] product;

  systolith_ecp5_dsp_register #(
    .BITS(19), .CLOCK(REG_INPUTA_CLK), .ENABLE(REG_INPUTA_CE), .RESET(REG_INPUTA_RST)
  ) input_a (
    .clk(clk), .ce(ce), .rst(rst), .q(a),
    .d({SIGNEDA, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0})
  );
  systolith_ecp5_dsp_register #(
    .BITS(19), .CLOCK(REG_INPUTB_CLK), .ENABLE(REG_INPUTB_CE), .RESET(REG_INPUTB_RST)
  ) input_b (
    .clk(clk), .ce(ce), .rst(rst), .q(b),
    .d({SIGNEDB, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0})
  );
  systolith_ecp5_dsp_register #(
    .BITS(36), .CLOCK(REG_PIPELINE_CLK), .ENABLE(REG_PIPELINE_CE), .RESET(REG_PIPELINE_RST)
  ) pipeline (.clk(clk), .ce(ce), .rst(rst), .d(exact[35:0]), .q(product));
  systolith_ecp5_dsp_register #(
    .BITS(36), .CLOCK(REG_OUTPUT_CLK), .ENABLE(REG_OUTPUT_CE), .RESET(REG_OUTPUT_RST)
  ) out (
    .clk(clk), .ce(ce), .rst(rst), .d(product),
    .q({P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
      P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0})
  );
endmodule

// Block RAM with two ports of up to 18 bits each, or, where either has 36 bits, with port A for writing and port B for
// reading. Of the initial values, 18 bits of each 20 are used.
module DP16KD (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
    DIA3, DIA2, DIA1, DIA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
    DIB3, DIB2, DIB1, DIB0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
  input CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter [319:0] INITVAL_00 = 320'h0, INITVAL_01 = 320'h0, INITVAL_02 = 320'h0, INITVAL_03 = 320'h0;
  parameter [319:0] INITVAL_04 = 320'h0, INITVAL_05 = 320'h0, INITVAL_06 = 320'h0, INITVAL_07 = 320'h0;
  parameter [319:0] INITVAL_08 = 320'h0, INITVAL_09 = 320'h0, INITVAL_0A = 320'h0, INITVAL_0B = 320'h0;
  parameter [319:0] INITVAL_0C = 320'h0, INITVAL_0D = 320'h0, INITVAL_0E = 320'h0, INITVAL_0F = 320'h0;
  parameter [319:0] INITVAL_10 = 320'h0, INITVAL_11 = 320'h0, INITVAL_12 = 320'h0, INITVAL_13 = 320'h0;
  parameter [319:0] INITVAL_14 = 320'h0, INITVAL_15 = 320'h0, INITVAL_16 = 320'h0, INITVAL_17 = 320'h0;
  parameter [319:0] INITVAL_18 = 320'h0, INITVAL_19 = 320'h0, INITVAL_1A = 320'h0, INITVAL_1B = 320'h0;
  parameter [319:0] INITVAL_1C = 320'h0, INITVAL_1D = 320'h0, INITVAL_1E = 320'h0, INITVAL_1F = 320'h0;
  parameter [319:0] INITVAL_20 = 320'h0, INITVAL_21 = 320'h0, INITVAL_22 = 320'h0, INITVAL_23 = 320'h0;
  parameter [319:0] INITVAL_24 = 320'h0, INITVAL_25 = 320'h0, INITVAL_26 = 320'h0, INITVAL_27 = 320'h0;
  parameter [319:0] INITVAL_28 = 320'h0, INITVAL_29 = 320'h0, INITVAL_2A = 320'h0, INITVAL_2B = 320'h0;
  parameter [319:0] INITVAL_2C = 320'h0, INITVAL_2D = 320'h0, INITVAL_2E = 320'h0, INITVAL_2F = 320'h0;
  parameter [319:0] INITVAL_30 = 320'h0, INITVAL_31 = 320'h0, INITVAL_32 = 320'h0, INITVAL_33 = 320'h0;
  parameter [319:0] INITVAL_34 = 320'h0, INITVAL_35 = 320'h0, INITVAL_36 = 320'h0, INITVAL_37 = 320'h0;
  parameter [319:0] INITVAL_38 = 320'h0, INITVAL_39 = 320'h0, INITVAL_3A = 320'h0, INITVAL_3B = 320'h0;
  parameter [319:0] INITVAL_3C = 320'h0, INITVAL_3D = 320'h0, INITVAL_3E = 320'h0, INITVAL_3F = 320'h0;
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG", RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
  parameter GSR = "ENABLED", INIT_DATA = "STATIC", CLKAMUX = "CLKA", CLKBMUX = "CLKB";
  localparam [20479:0] PADDED = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };
  function automatic [18431:0] packed_init(input [20479:0] padded);
    for (integer i = 0; i < 1024; i = i + 1) packed_init[18*i +: 18] = padded[20*i +: 18];
  endfunction
  localparam [18431:0] INIT = packed_init(PADDED);
  localparam PSEUDO = DATA_WIDTH_A == 36 || DATA_WIDTH_B == 36;

  generate
    if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000" || CLKAMUX != "CLKA" || CLKBMUX != "CLKB" ||
        PSEUDO && WRITEMODE_A != "NORMAL")
      $error("DP16KD: a mode that is not modelled");
  endgenerate
  always @* begin
    if (RESETMODE != "SYNC" && (RSTA || RSTB)) $fatal(1, "DP16KD: asynchronous reset is not modelled");
    if (PSEUDO && WEB && CEB) $fatal(1, "DP16KD: writing to port B beside a port of 36 bits is not modelled");
  end

  wire [13:0] address_a = {
    ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
  };
  wire [13:0] address_b = {
    ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
  };
  wire [35:0] data = {
    DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0
  };

  wire enable_a = CEA && !CSA2 && !CSA1 && !CSA0, enable_b = CEB && !CSB2 && !CSB1 && !CSB0;
  wire [35:0] read_a, read_b;
  reg [35:0] kept_a = 0, kept_b = 0;
  wire [35:0] out_a = REGMODE_A == "OUTREG" ? kept_a : read_a, out_b = REGMODE_B == "OUTREG" ? kept_b : read_b;

  always @(posedge CLKA) if (RSTA) kept_a <= 0; else if (OCEA) kept_a <= read_a;
  always @(posedge CLKB) if (RSTB) kept_b <= 0; else if (OCEB) kept_b <= read_b;

  systolith_block_ram #(
    .WIDTH_A(DATA_WIDTH_A), .WIDTH_B(DATA_WIDTH_B), .INIT(INIT),
    .ON_WRITE_A(WRITEMODE_A == "NORMAL" ? "hold" : WRITEMODE_A == "READBEFOREWRITE" ? "old" :
      WRITEMODE_A == "WRITETHROUGH" ? "new" : "unknown"),
    .ON_WRITE_B(WRITEMODE_B == "NORMAL" ? "hold" : WRITEMODE_B == "READBEFOREWRITE" ? "old" :
      WRITEMODE_B == "WRITETHROUGH" ? "new" : "unknown")
  ) ram (
    .clk_a(CLKA), .clk_b(CLKB), .reset_a(RSTA), .reset_b(RSTB), .address_a(address_a), .address_b(address_b),
    .read_a(enable_a), .write_a(enable_a && WEA && !RSTA), .data_a(data), .q_a(read_a),
    .read_b(enable_b), .write_b(enable_b && WEB && !RSTB), .data_b({18'b0, data[35:18]}), .q_b(read_b)
  );

  wire [17:0] low = DATA_WIDTH_B == 36 ? out_b[17:0] : out_a[17:0];
  wire [17:0] high = DATA_WIDTH_B == 36 ? out_b[35:18] : out_b[17:0];
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
    DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = low;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
    DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = high;
endmodule
