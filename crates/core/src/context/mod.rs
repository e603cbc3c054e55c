//! From ranked places to the sections of a prompt, within a budget of tokens.
