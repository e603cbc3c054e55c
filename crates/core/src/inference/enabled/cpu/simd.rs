//! SIMD that is chosen when the program runs, so that one build is fast on every machine.

/// Compiles a function twice, for the baseline and for AVX2 with FMA, and calls the one that the processor can run.
///
/// The body is ordinary Rust that the compiler turns into vector instructions.
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
                    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
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
