//! The library that the BEAM loads. Everything in it comes from `ambix-nif`.

rustler::init!("Elixir.Ambix.Native", load = ambix_nif::load);
