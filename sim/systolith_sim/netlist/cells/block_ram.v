// Block RAM of 512 lines of 36 bits, as both Lattice's ECP5 and Gowin have it, with two ports of 1, 2, 4, 9, 18 or 36
// bits each. An address counts bits, without the ninth bit of each byte; below a port of 18 or 36 bits its lowest bits
// are byte enables for writing. Widths below 9 leave the ninth bits alone.
//
// Bits that one port writes while the other reads them are undefined in the documentation: they read inverted, so
// that whoever uses them notices.
module systolith_block_ram #(
  parameter WIDTH_A = 36, parameter WIDTH_B = 36,
  parameter ON_WRITE_A = "hold", parameter ON_WRITE_B = "hold",  // "hold", "old" or "new"
  parameter [18431:0] INIT = 18432'b0
) (
  input clk_a, read_a, write_a, reset_a, clk_b, read_b, write_b, reset_b,
  input [13:0] address_a, address_b,
  input [35:0] data_a, data_b,
  output reg [35:0] q_a, q_b
);
  generate
    if (!(WIDTH_A == 1 || WIDTH_A == 2 || WIDTH_A == 4 || WIDTH_A == 9 || WIDTH_A == 18 || WIDTH_A == 36))
      $error("block RAM: a width that is not modelled");
    if (!(WIDTH_B == 1 || WIDTH_B == 2 || WIDTH_B == 4 || WIDTH_B == 9 || WIDTH_B == 18 || WIDTH_B == 36))
      $error("block RAM: a width that is not modelled");
    if (!(ON_WRITE_A == "hold" || ON_WRITE_A == "old" || ON_WRITE_A == "new") ||
        !(ON_WRITE_B == "hold" || ON_WRITE_B == "old" || ON_WRITE_B == "new"))
      $error("block RAM: a write mode that is not modelled");
  endgenerate

  reg [35:0] lines [0:511];
  integer i;
  initial begin
    for (i = 0; i < 512; i = i + 1) lines[i] = INIT[36*i +: 36];
    q_a = 0;
    q_b = 0;
  end

  function automatic [5:0] offset(input integer width, input [13:0] address);
    case (width)
      36: offset = 0;
      18: offset = 18 * address[4];
      9: offset = 9 * address[4:3];
      4: offset = 9 * address[4:3] + 4 * address[2];
      2: offset = 9 * address[4:3] + 2 * address[2:1];
      default: offset = 9 * address[4:3] + address[2:0];
    endcase
  endfunction

  function automatic [35:0] enabled(input integer width, input [13:0] address);
    case (width)
      36: enabled = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
      18: enabled = {{9{address[1]}}, {9{address[0]}}};
      default: enabled = (36'b1 << width) - 1;
    endcase
  endfunction

  wire [5:0] offset_a = offset(WIDTH_A, address_a), offset_b = offset(WIDTH_B, address_b);
  wire [35:0] written_a = write_a ? enabled(WIDTH_A, address_a) << offset_a : 36'b0;
  wire [35:0] written_b = write_b ? enabled(WIDTH_B, address_b) << offset_b : 36'b0;
  wire [35:0] old_a = lines[address_a[13:5]], old_b = lines[address_b[13:5]];
  wire [35:0] new_a = old_a & ~written_a | (data_a << offset_a) & written_a;
  wire [35:0] new_b = old_b & ~written_b | (data_b << offset_b) & written_b;
  wire same_line = address_a[13:5] == address_b[13:5];
  wire [35:0] undefined_a = same_line ? written_b : 36'b0, undefined_b = same_line ? written_a : 36'b0;
  wire [35:0] seen_a = ((ON_WRITE_A == "new" ? new_a : old_a) ^ undefined_a) >> offset_a;
  wire [35:0] seen_b = ((ON_WRITE_B == "new" ? new_b : old_b) ^ undefined_b) >> offset_b;

  always @(posedge clk_a) begin
    if (write_a) lines[address_a[13:5]] <= new_a;
    if (write_a && write_b && same_line) $fatal(1, "block RAM: writing twice to a line is not modelled");
    if (reset_a) q_a <= 0;
    else if (read_a && !(write_a && ON_WRITE_A == "hold")) q_a <= seen_a & (37'b1 << WIDTH_A) - 37'b1;
  end
  always @(posedge clk_b) begin
    if (write_b) lines[address_b[13:5]] <= new_b;
    if (reset_b) q_b <= 0;
    else if (read_b && !(write_b && ON_WRITE_B == "hold")) q_b <= seen_b & (37'b1 << WIDTH_B) - 37'b1;
  end
endmodule
