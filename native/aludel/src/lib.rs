//! The library that the BEAM loads. Everything in it comes from `aludel-nif`.
use aludel_nif as _;

rustler::init!("Elixir.Aludel.Native");
