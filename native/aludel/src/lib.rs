//! The library that the BEAM loads. Everything in it comes from `aludel-nif`.

rustler::init!("Elixir.Aludel.Native", load = aludel_nif::load);
