//! The graph of code: who calls whom, what a change touches, what matters most.
