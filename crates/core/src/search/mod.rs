//! Tree of thought as a state machine: ask what to do next, tell what came of it.
