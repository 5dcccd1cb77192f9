// Cells of Gowin's parts of which Yosys knows no behaviour, in the modes that its own mapping and our vendor
// multiplier use. A mode that is not modelled is an error when the model is built or, where it is chosen by a
// signal, when it runs; ports of features that are not modelled do not exist.

// As Yosys' own, in a form that is simulated faster.
module LUT1(output F, input I0);
  parameter [1:0] INIT = 0;
  assign F = INIT[I0];
endmodule

module LUT2(output F, input I0, I1);
  parameter [3:0] INIT = 0;
  assign F = INIT[{I1, I0}];
endmodule

module LUT3(output F, input I0, I1, I2);
  parameter [7:0] INIT = 0;
  assign F = INIT[{I2, I1, I0}];
endmodule

module LUT4(output F, input I0, I1, I2, I3);
  parameter [15:0] INIT = 0;
  assign F = INIT[{I3, I2, I1, I0}];
endmodule

// A multiplier whose registers share a clock, an enable and a synchronous reset.
module systolith_gowin_multiplier #(
  parameter BITS = 9, parameter AREG = 0, parameter BREG = 0, parameter OUT_REG = 0, parameter PIPE_REG = 0,
  parameter ASIGN_REG = 0, parameter BSIGN_REG = 0, parameter RESET_MODE = "SYNC"
) (
  input [BITS-1:0] a, b,
  input a_signed, b_signed, shifted, ce, clk, reset,
  output [2*BITS-1:0] product
);
  generate
    if ((AREG || BREG || OUT_REG || PIPE_REG || ASIGN_REG || BSIGN_REG) && RESET_MODE != "SYNC")
      $error("a multiplier with asynchronous reset is not modelled");
  endgenerate
  always @* if (shifted) $fatal(1, "a multiplier with operands from the shift chain is not modelled");

  reg [BITS-1:0] kept_a = 0, kept_b = 0;
  reg kept_a_signed = 0, kept_b_signed = 0;
  reg [2*BITS-1:0] piped = 0, kept = 0;
  wire [BITS-1:0] used_a = AREG ? kept_a : a, used_b = BREG ? kept_b : b;
  wire used_a_signed = ASIGN_REG ? kept_a_signed : a_signed, used_b_signed = BSIGN_REG ? kept_b_signed : b_signed;
  wire signed [BITS:0] wide_a = {used_a_signed && used_a[BITS-1], used_a};
  wire signed [BITS:0] wide_b = {used_b_signed && used_b[BITS-1], used_b};
  wire signed [2*BITS+1:0] exact = wide_a * wide_b;
  wire [2*BITS-1:0] behind_pipe = PIPE_REG ? piped : exact[2*BITS-1:0];

  always @(posedge clk)
    if (reset) begin
      {kept_a, kept_b, kept_a_signed, kept_b_signed} <= 0;
      {piped, kept} <= 0;
    end else if (ce) begin
      {kept_a, kept_b, kept_a_signed, kept_b_signed} <= {a, b, a_signed, b_signed};
      {piped, kept} <= {exact[2*BITS-1:0], behind_pipe};
    end
  assign product = OUT_REG ? kept : behind_pipe;
endmodule

module MULT9X9 (
  input [8:0] A, B, SIA, SIB,
  input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
  output [17:0] DOUT
);
  parameter AREG = 1'b0, BREG = 1'b0, OUT_REG = 1'b0, PIPE_REG = 1'b0, ASIGN_REG = 1'b0, BSIGN_REG = 1'b0;
  parameter SOA_REG = 1'b0, MULT_RESET_MODE = "SYNC";
  systolith_gowin_multiplier #(
    .BITS(9), .AREG(AREG), .BREG(BREG), .OUT_REG(OUT_REG), .PIPE_REG(PIPE_REG),
    .ASIGN_REG(ASIGN_REG), .BSIGN_REG(BSIGN_REG), .RESET_MODE(MULT_RESET_MODE)
  ) multiplier (
    .a(A), .b(B), .a_signed(ASIGN), .b_signed(BSIGN), .shifted(ASEL || BSEL), .ce(CE), .clk(CLK), .reset(RESET),
    .product(DOUT)
  );
endmodule

module MULT18X18 (
  input [17:0] A, B, SIA, SIB,
  input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
  output [35:0] DOUT
);
  parameter AREG = 1'b0, BREG = 1'b0, OUT_REG = 1'b0, PIPE_REG = 1'b0, ASIGN_REG = 1'b0, BSIGN_REG = 1'b0;
  parameter SOA_REG = 1'b0, MULT_RESET_MODE = "SYNC";
  systolith_gowin_multiplier #(
    .BITS(18), .AREG(AREG), .BREG(BREG), .OUT_REG(OUT_REG), .PIPE_REG(PIPE_REG),
    .ASIGN_REG(ASIGN_REG), .BSIGN_REG(BSIGN_REG), .RESET_MODE(MULT_RESET_MODE)
  ) multiplier (
    .a(A), .b(B), .a_signed(ASIGN), .b_signed(BSIGN), .shifted(ASEL || BSEL), .ce(CE), .clk(CLK), .reset(RESET),
    .product(DOUT)
  );
endmodule

// Block RAM with port A for writing and port B for reading, in bytes of 8 bits.
module SDPB (
  input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
  input [13:0] ADA, ADB,
  input [2:0] BLKSELA, BLKSELB,
  input [31:0] DI,
  output [31:0] DO
);
  parameter READ_MODE = 1'b0, RESET_MODE = "SYNC", BLK_SEL_0 = 3'b000, BLK_SEL_1 = 3'b000;
  parameter BIT_WIDTH_0 = 32, BIT_WIDTH_1 = 32;
  parameter [255:0] INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0;
  parameter [255:0] INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0;
  parameter [255:0] INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0;
  parameter [255:0] INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0;
  parameter [255:0] INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0;
  parameter [255:0] INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0;
  parameter [255:0] INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0;
  parameter [255:0] INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0;
  parameter [255:0] INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0;
  parameter [255:0] INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0;
  parameter [255:0] INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0;
  parameter [255:0] INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0;
  parameter [255:0] INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0;
  parameter [255:0] INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0;
  parameter [255:0] INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0;
  parameter [255:0] INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0;
  localparam [16383:0] BYTES = {
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
    INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
    INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
    INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
    INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
    INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
    INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00
  };
  function automatic [18431:0] spread(input [16383:0] bytes);
    spread = 0;
    for (integer i = 0; i < 2048; i = i + 1) spread[9*i +: 8] = bytes[8*i +: 8];
  endfunction
  localparam [18431:0] INIT = spread(BYTES);
  localparam integer WIDTH_A = BIT_WIDTH_0 < 8 ? BIT_WIDTH_0 : BIT_WIDTH_0 / 8 * 9;
  localparam integer WIDTH_B = BIT_WIDTH_1 < 8 ? BIT_WIDTH_1 : BIT_WIDTH_1 / 8 * 9;

  always @* if (RESETA || RESETB) $fatal(1, "SDPB: reset is not modelled");

  wire [35:0] read;
  reg [35:0] kept = 0;
  always @(posedge CLKB) if (OCE) kept <= read;
  wire [35:0] q = READ_MODE ? kept : read;
  assign DO = {q[34:27], q[25:18], q[16:9], q[7:0]};

  systolith_block_ram #(.WIDTH_A(WIDTH_A), .WIDTH_B(WIDTH_B), .INIT(INIT)) ram (
    .clk_a(CLKA), .read_a(1'b0), .write_a(CEA && BLKSELA == BLK_SEL_0), .reset_a(1'b0),
    .address_a(ADA), .data_a({1'b0, DI[31:24], 1'b0, DI[23:16], 1'b0, DI[15:8], 1'b0, DI[7:0]}), .q_a(),
    .clk_b(CLKB), .read_b(CEB && BLKSELB == BLK_SEL_1), .write_b(1'b0), .reset_b(1'b0),
    .address_b(ADB), .data_b(36'b0), .q_b(read)
  );
endmodule

// The same in bytes of 9 bits.
module SDPX9B (
  input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
  input [13:0] ADA, ADB,
  input [2:0] BLKSELA, BLKSELB,
  input [35:0] DI,
  output [35:0] DO
);
  parameter READ_MODE = 1'b0, RESET_MODE = "SYNC", BLK_SEL_0 = 3'b000, BLK_SEL_1 = 3'b000;
  parameter BIT_WIDTH_0 = 36, BIT_WIDTH_1 = 36;
  parameter [287:0] INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0;
  parameter [287:0] INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0;
  parameter [287:0] INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0;
  parameter [287:0] INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0;
  parameter [287:0] INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0;
  parameter [287:0] INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0;
  parameter [287:0] INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0;
  parameter [287:0] INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0;
  parameter [287:0] INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0;
  parameter [287:0] INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0;
  parameter [287:0] INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0;
  parameter [287:0] INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0;
  parameter [287:0] INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0;
  parameter [287:0] INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0;
  parameter [287:0] INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0;
  parameter [287:0] INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0;
  localparam [18431:0] INIT = {
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
    INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
    INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
    INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
    INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
    INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
    INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00
  };

  always @* if (RESETA || RESETB) $fatal(1, "SDPX9B: reset is not modelled");

  wire [35:0] read;
  reg [35:0] kept = 0;
  always @(posedge CLKB) if (OCE) kept <= read;
  wire [35:0] q = READ_MODE ? kept : read;
  assign DO = q;

  systolith_block_ram #(.WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .INIT(INIT)) ram (
    .clk_a(CLKA), .read_a(1'b0), .write_a(CEA && BLKSELA == BLK_SEL_0), .reset_a(1'b0),
    .address_a(ADA), .data_a(DI), .q_a(),
    .clk_b(CLKB), .read_b(CEB && BLKSELB == BLK_SEL_1), .write_b(1'b0), .reset_b(1'b0),
    .address_b(ADB), .data_b(36'b0), .q_b(read)
  );
endmodule

// Block RAM with two ports for either, in bytes of 8 bits.
module DPB (
  input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB,
  input [13:0] ADA, ADB,
  input [2:0] BLKSELA, BLKSELB,
  input [15:0] DIA, DIB,
  output [15:0] DOA, DOB
);
  parameter READ_MODE0 = 1'b0, READ_MODE1 = 1'b0, WRITE_MODE0 = 2'b00, WRITE_MODE1 = 2'b00, RESET_MODE = "SYNC";
  parameter BLK_SEL_0 = 3'b000, BLK_SEL_1 = 3'b000, BIT_WIDTH_0 = 16, BIT_WIDTH_1 = 16;
  parameter [255:0] INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0;
  parameter [255:0] INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0;
  parameter [255:0] INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0;
  parameter [255:0] INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0;
  parameter [255:0] INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0;
  parameter [255:0] INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0;
  parameter [255:0] INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0;
  parameter [255:0] INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0;
  parameter [255:0] INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0;
  parameter [255:0] INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0;
  parameter [255:0] INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0;
  parameter [255:0] INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0;
  parameter [255:0] INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0;
  parameter [255:0] INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0;
  parameter [255:0] INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0;
  parameter [255:0] INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0;
  localparam [16383:0] BYTES = {
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
    INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
    INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
    INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
    INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
    INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
    INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00
  };
  function automatic [18431:0] spread(input [16383:0] bytes);
    spread = 0;
    for (integer i = 0; i < 2048; i = i + 1) spread[9*i +: 8] = bytes[8*i +: 8];
  endfunction
  localparam [18431:0] INIT = spread(BYTES);
  localparam integer WIDTH_A = BIT_WIDTH_0 < 8 ? BIT_WIDTH_0 : BIT_WIDTH_0 / 8 * 9;
  localparam integer WIDTH_B = BIT_WIDTH_1 < 8 ? BIT_WIDTH_1 : BIT_WIDTH_1 / 8 * 9;

  always @* if (RESETA || RESETB) $fatal(1, "DPB: reset is not modelled");

  wire enable_a = CEA && BLKSELA == BLK_SEL_0, enable_b = CEB && BLKSELB == BLK_SEL_1;
  wire [35:0] read_a, read_b;
  reg [35:0] kept_a = 0, kept_b = 0;
  always @(posedge CLKA) if (OCEA) kept_a <= read_a;
  always @(posedge CLKB) if (OCEB) kept_b <= read_b;
  wire [35:0] out_a = READ_MODE0 ? kept_a : read_a, out_b = READ_MODE1 ? kept_b : read_b;
  assign DOA = {out_a[16:9], out_a[7:0]};
  assign DOB = {out_b[16:9], out_b[7:0]};

  systolith_block_ram #(
    .WIDTH_A(WIDTH_A), .WIDTH_B(WIDTH_B), .INIT(INIT),
    .ON_WRITE_A(WRITE_MODE0 == 0 ? "hold" : WRITE_MODE0 == 1 ? "new" : WRITE_MODE0 == 2 ? "old" : "unknown"),
    .ON_WRITE_B(WRITE_MODE1 == 0 ? "hold" : WRITE_MODE1 == 1 ? "new" : WRITE_MODE1 == 2 ? "old" : "unknown")
  ) ram (
    .clk_a(CLKA), .read_a(enable_a), .write_a(enable_a && WREA), .reset_a(1'b0),
    .address_a(ADA), .data_a({19'b0, DIA[15:8], 1'b0, DIA[7:0]}), .q_a(read_a),
    .clk_b(CLKB), .read_b(enable_b), .write_b(enable_b && WREB), .reset_b(1'b0),
    .address_b(ADB), .data_b({19'b0, DIB[15:8], 1'b0, DIB[7:0]}), .q_b(read_b)
  );
endmodule

// The same in bytes of 9 bits.
module DPX9B (
  input CLKA, CEA, OCEA, RESETA, WREA, CLKB, CEB, OCEB, RESETB, WREB,
  input [13:0] ADA, ADB,
  input [2:0] BLKSELA, BLKSELB,
  input [17:0] DIA, DIB,
  output [17:0] DOA, DOB
);
  parameter READ_MODE0 = 1'b0, READ_MODE1 = 1'b0, WRITE_MODE0 = 2'b00, WRITE_MODE1 = 2'b00, RESET_MODE = "SYNC";
  parameter BLK_SEL_0 = 3'b000, BLK_SEL_1 = 3'b000, BIT_WIDTH_0 = 18, BIT_WIDTH_1 = 18;
  parameter [287:0] INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0;
  parameter [287:0] INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0;
  parameter [287:0] INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0;
  parameter [287:0] INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0;
  parameter [287:0] INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0;
  parameter [287:0] INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0;
  parameter [287:0] INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0;
  parameter [287:0] INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0;
  parameter [287:0] INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0;
  parameter [287:0] INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0;
  parameter [287:0] INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0;
  parameter [287:0] INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0;
  parameter [287:0] INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0;
  parameter [287:0] INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0;
  parameter [287:0] INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0;
  parameter [287:0] INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0;
  localparam [18431:0] INIT = {
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
    INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
    INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
    INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
    INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
    INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
    INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00
  };

  always @* if (RESETA || RESETB) $fatal(1, "DPX9B: reset is not modelled");

  wire enable_a = CEA && BLKSELA == BLK_SEL_0, enable_b = CEB && BLKSELB == BLK_SEL_1;
  wire [35:0] read_a, read_b;
  reg [35:0] kept_a = 0, kept_b = 0;
  always @(posedge CLKA) if (OCEA) kept_a <= read_a;
  always @(posedge CLKB) if (OCEB) kept_b <= read_b;
  wire [35:0] out_a = READ_MODE0 ? kept_a : read_a, out_b = READ_MODE1 ? kept_b : read_b;
  assign DOA = out_a[17:0];
  assign DOB = out_b[17:0];

  systolith_block_ram #(
    .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .INIT(INIT),
    .ON_WRITE_A(WRITE_MODE0 == 0 ? "hold" : WRITE_MODE0 == 1 ? "new" : WRITE_MODE0 == 2 ? "old" : "unknown"),
    .ON_WRITE_B(WRITE_MODE1 == 0 ? "hold" : WRITE_MODE1 == 1 ? "new" : WRITE_MODE1 == 2 ? "old" : "unknown")
  ) ram (
    .clk_a(CLKA), .read_a(enable_a), .write_a(enable_a && WREA), .reset_a(1'b0),
    .address_a(ADA), .data_a({18'b0, DIA}), .q_a(read_a),
    .clk_b(CLKB), .read_b(enable_b), .write_b(enable_b && WREB), .reset_b(1'b0),
    .address_b(ADB), .data_b({18'b0, DIB}), .q_b(read_b)
  );
endmodule
