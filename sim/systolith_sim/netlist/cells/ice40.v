// As Yosys' own, in a form that is simulated faster.
module SB_LUT4 (output O, input I0 = 1'b0, I1 = 1'b0, I2 = 1'b0, I3 = 1'b0);
  parameter [15:0] LUT_INIT = 0;
  assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule
