#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aludel_fuzz::static_model(data));
