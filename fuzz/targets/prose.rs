#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ambix_fuzz::prose(data));
