//! Which instructions the kernels use.

/// A set of instructions, chosen when the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InstructionSet {
    /// What every processor of the target has.
    Portable,
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// These, and byte products on their registers.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// These, AVX-512 and its byte products.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The byte products of ARMv8.2.
    #[cfg(target_arch = "aarch64")]
    DotProduct,
}

impl InstructionSet {
    /// The best that this processor has.
    pub(super) fn detect() -> Self {
        Self::all().last().copied().unwrap_or(InstructionSet::Portable)
    }

    /// All that this processor has, the best last.
    pub(super) fn all() -> Vec<Self> {
        #[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), expect(unused_mut))]
        let mut all = vec![InstructionSet::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") && has!("fma") && has!("f16c") {
                all.push(InstructionSet::Avx2);
                if has!("avxvnni") {
                    all.push(InstructionSet::AvxVnni);
                }
                if has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512vnni") {
                    all.push(InstructionSet::Avx512);
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("dotprod") {
            all.push(InstructionSet::DotProduct);
        }
        all
    }
}
