"""The kinds of model that can be built of one design."""

import enum

__all__ = ["Variant"]


class Variant(enum.Enum):
    """What a model can do beside running."""

    FAST = "fast"
    """Nothing: the fastest."""
    QUICK = "quick"
    """Nothing, and compiled sooner: for netlists, which take their time with nothing to vectorize."""
    TRACE = "trace"
    """Write waveforms (FST)."""
    DEBUG = "debug"
    """Write waveforms (VCD), and show every signal and register to pyverilator."""
    RECORD = "record"
    """Record the ports: a digest of the outputs of every cycle, and the values in the last cycles."""

    @property
    def waveform_suffix(self):
        """Suffix of the waveform files that it writes, or ``None``."""
        return {Variant.TRACE: ".fst", Variant.DEBUG: ".vcd"}.get(self)

    @property
    def optimization(self):
        """Flag for the C++ compiler for what runs in every cycle."""
        return "-O1" if self in {Variant.QUICK, Variant.DEBUG} else "-O3"

    @property
    def verilator_flags(self):
        """Flags for Verilator, beside those of every model."""
        return {
            Variant.FAST: [],
            Variant.QUICK: ["--output-split-cfuncs", "200"],
            Variant.TRACE: ["--trace-fst"],
            Variant.DEBUG: ["--trace-vcd", "--public-flat-rw", "--flatten"],
            Variant.RECORD: [],
        }[self]

    @property
    def compiler_flags(self):
        """Flags for the C++ compiler, beside those of every model."""
        return {
            Variant.FAST: ["-DVM_TRACE=0"],
            Variant.QUICK: ["-DVM_TRACE=0"],
            Variant.TRACE: ["-DVM_TRACE=1", "-DVM_TRACE_FST=1", "-DSYSTOLITH_TRACE_FST"],
            Variant.DEBUG: ["-DVM_TRACE=1", "-DVM_TRACE_VCD=1", "-DSYSTOLITH_TRACE_VCD"],
            Variant.RECORD: ["-DVM_TRACE=0", "-DSYSTOLITH_RECORD"],
        }[self]
