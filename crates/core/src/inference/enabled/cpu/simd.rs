//! SIMD that is chosen when the program runs, so that one build is fast on every machine.

/// Compiles a function for the baseline, for AVX2 with FMA and for AVX-512, and calls the best that the processor can run.
///
/// The body is ordinary Rust that the compiler turns into vector instructions. It does not reorder what floats are added, so the
/// results are the same everywhere.
macro_rules! at_run_time {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)+) => {
        $(
            $(#[$meta])*
            $vis fn $name($($arg: $type),*) $(-> $result)? {
                #[inline(always)]
                fn body($($arg: $type),*) $(-> $result)? $body

                #[cfg(target_arch = "x86_64")]
                {
                    #[target_feature(enable = "avx2,fma")]
                    fn avx2($($arg: $type),*) $(-> $result)? {
                        body($($arg),*)
                    }
                    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                    fn avx512($($arg: $type),*) $(-> $result)? {
                        body($($arg),*)
                    }
                    use std::arch::is_x86_feature_detected as has;
                    if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") && has!("avx2") && has!("fma") {
                        // SAFETY: the processor has these instructions.
                        return unsafe { avx512($($arg),*) };
                    }
                    if has!("avx2") && has!("fma") {
                        // SAFETY: the processor has these instructions.
                        return unsafe { avx2($($arg),*) };
                    }
                }
                body($($arg),*)
            }
        )+
    };
}

pub(super) use at_run_time;
