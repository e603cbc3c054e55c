//! From Erlang to facts, by the same vocabulary as Elixir: `lists:map/2` is `map/2` of the module `:lists`, and a module
//! that Elixir compiled keeps the name it has there.
//!
//! A header has no module. What it defines is given to a module that is named as its file, `"records.hrl"`, and public:
//! whoever includes it sees it. Branches of conditional compilation are all read. A macro's body counts as quoted code,
//! of the macro and of the functions of the file that use it.

mod trees;

mod builtin;
mod names;
mod prose;

mod pending;
mod reader;

mod define;
mod process;
mod refer;
mod shape;

mod expand;
mod settle;

pub(super) use reader::read;

#[cfg(test)]
mod tests;
