// An SDRAM as its controller sees it: JEDEC's commands, one word per access, data after the CAS latency.
// Ends the simulation at commands that a real chip does not take, and where one comes too late for its cells.
// How long it takes for a command is not checked.
module sdram_chip #(
    parameter BANK_BITS = 2,
    parameter ROW_BITS = 13,
    parameter COLUMN_BITS = 9,
    parameter CAS_LATENCY = 2,
    parameter OPEN_CYCLES_MAX = 10000,
    parameter REFRESH_CYCLES = 1000,
    parameter REFRESHES_OWED_MAX = 8
) (
    input clk,
    input clk_en,
    input cs,
    input ras,
    input cas,
    input we,
    input [BANK_BITS-1:0] ba,
    input [ROW_BITS-1:0] a,
    input [1:0] dqm,
    input [15:0] dq_o,
    output [15:0] dq_i
);
  localparam [2:0] ACTIVATE = 3'b001, READ = 3'b010, REFRESH = 3'b011, PRECHARGE = 3'b101, WRITE = 3'b110,
                   SET_MODE = 3'b111;
  localparam BANKS = 1 << BANK_BITS;

  reg [15:0] words[0:(1<<(BANK_BITS+ROW_BITS+COLUMN_BITS))-1];
  reg [BANKS-1:0] is_open = 0;
  reg [ROW_BITS-1:0] open_row[0:BANKS-1];
  reg [31:0] open_cycles = 0;
  reg [31:0] refresh_cycles = 0;
  reg [31:0] refreshes_owed = 0;
  reg is_set = 0;
  reg [16*CAS_LATENCY-1:0] on_the_way = 0;

  wire [2:0] command = cs && clk_en ? {we, cas, ras} : 3'b000;
  wire is_due = refresh_cycles == REFRESH_CYCLES - 1;
  wire [BANK_BITS+ROW_BITS+COLUMN_BITS-1:0] word = {open_row[ba], ba, a[COLUMN_BITS-1:0]};
  assign dq_i = on_the_way[16*CAS_LATENCY-1-:16];

  always @(posedge clk) begin
    on_the_way <= on_the_way << 16;
    open_cycles <= open_cycles + 1;
    if (is_open != 0 && open_cycles > OPEN_CYCLES_MAX) $fatal(1, "SDRAM: a row is open for too long");
    refresh_cycles <= !is_set || is_due ? 0 : refresh_cycles + 1;
    refreshes_owed <= refreshes_owed + is_due - (command == REFRESH && (is_due || refreshes_owed != 0));
    if (refreshes_owed > REFRESHES_OWED_MAX) $fatal(1, "SDRAM: refreshes are overdue");
    case (command)
      ACTIVATE: begin
        if (is_open[ba] || !is_set) $fatal(1, "SDRAM: a row is opened while another is, or before the mode is set");
        is_open[ba] <= 1;
        open_row[ba] <= a;
        open_cycles <= 0;
      end
      READ: begin
        if (!is_open[ba] || a[10]) $fatal(1, "SDRAM: a read of a closed bank");
        on_the_way[15:0] <= words[word];
      end
      WRITE: begin
        if (!is_open[ba] || a[10]) $fatal(1, "SDRAM: a write to a closed bank");
        if (!dqm[0]) words[word][7:0] <= dq_o[7:0];
        if (!dqm[1]) words[word][15:8] <= dq_o[15:8];
      end
      PRECHARGE: is_open <= a[10] ? 0 : is_open & ~(1 << ba);
      REFRESH: if (is_open != 0) $fatal(1, "SDRAM: a refresh while a row is open");
      SET_MODE: begin
        if (is_open != 0 || a != CAS_LATENCY << 4) $fatal(1, "SDRAM: a mode that is not simulated");
        is_set <= 1;
      end
      default: ;
    endcase
  end
endmodule
