//! The choice of the next token: a step outside of the model and outside of the loop.

use super::request::Sampling;

/// Chooses tokens. Its random numbers depend on the seed and the number of draws, on nothing else.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    state: u64,
    /// Tokens and weights still in the draw; kept to be reused.
    candidates: Vec<(u32, f32)>,
}

impl Sampler {
    /// A sampler at the beginning of its random numbers.
    pub fn new(sampling: Sampling) -> Self {
        let state = sampling.seed;
        Sampler { sampling, state, candidates: Vec::new() }
    }

    /// The next token after `history` for these `logits`. They are changed by the penalty and the temperature.
    ///
    /// Not-a-number counts as impossible, and equal logits are told apart by the lower token, so the choice is always
    /// defined. With no logits at all the answer is token 0.
    pub fn sample(&mut self, logits: &mut [f32], history: &[u32]) -> u32 {
        for logit in logits.iter_mut() {
            if logit.is_nan() {
                *logit = f32::NEG_INFINITY;
            }
        }
        self.penalise(logits, history);
        if self.sampling.temperature == 0.0 {
            return greatest(logits);
        }
        self.gather(logits);
        self.draw()
    }

    fn penalise(&self, logits: &mut [f32], history: &[u32]) {
        let penalty = self.sampling.repetition_penalty;
        if penalty == 1.0 {
            return;
        }
        let mut recent = history[history.len().saturating_sub(self.sampling.repetition_window)..].to_vec();
        recent.sort_unstable();
        recent.dedup();
        for token in recent {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
    }

    /// Puts the tokens that every filter keeps into `candidates`, the most probable first, with weights that need not add up to 1.
    fn gather(&mut self, logits: &[f32]) {
        let Sampling { temperature, top_k, top_p, min_p, .. } = self.sampling;
        let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| if logit == peak { 1.0 } else { ((logit - peak) / temperature).exp() };
        // A weight is a probability relative to the best one, so min-p is a threshold on it.
        self.candidates.clear();
        self.candidates.extend(
            logits
                .iter()
                .enumerate()
                .map(|(token, &logit)| (token as u32, weight(logit)))
                .filter(|c| c.1 >= min_p && c.1 > 0.0),
        );
        let by_weight = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if top_k > 0 && top_k < self.candidates.len() {
            self.candidates.select_nth_unstable_by(top_k - 1, by_weight);
            self.candidates.truncate(top_k);
        }
        self.candidates.sort_unstable_by(by_weight);
        if top_p < 1.0 {
            let enough = top_p * self.candidates.iter().map(|c| c.1).sum::<f32>();
            let mut sum = 0.0;
            let kept = self.candidates.iter().take_while(|c| {
                let before = sum;
                sum += c.1;
                before < enough
            });
            let kept = kept.count().max(1);
            self.candidates.truncate(kept);
        }
    }

    fn draw(&mut self) -> u32 {
        let total: f32 = self.candidates.iter().map(|c| c.1).sum();
        let mut left = self.uniform() * total;
        for &(token, weight) in &self.candidates {
            if left < weight {
                return token;
            }
            left -= weight;
        }
        self.candidates.last().map_or(0, |c| c.0)
    }

    /// A number in 0..1 (SplitMix64, Steele et al. 2014).
    fn uniform(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// The natural logarithm of `token`'s probability under `logits`.
pub fn log_probability(logits: &[f32], token: u32) -> f32 {
    let Some(&logit) = logits.get(token as usize) else { return f32::NEG_INFINITY };
    let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&other| f64::from(other - peak).exp()).sum();
    (f64::from(logit - peak) - sum.ln()) as f32
}

fn greatest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = token;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampling(change: impl Fn(&mut Sampling)) -> Sampling {
        let mut sampling = Sampling { temperature: 1.0, ..Sampling::default() };
        change(&mut sampling);
        sampling
    }

    /// How often each token is drawn in 20 000 draws, in percent.
    fn frequencies(sampling: Sampling, logits: &[f32]) -> Vec<i32> {
        let mut counts = vec![0; logits.len()];
        let mut sampler = Sampler::new(sampling);
        for _ in 0..20_000 {
            counts[sampler.sample(&mut logits.to_vec(), &[]) as usize] += 1;
        }
        counts.iter().map(|count| (count + 100) / 200).collect()
    }

    #[test]
    fn filters_keep_what_they_promise() {
        // Probabilities 0.5, 0.25, 0.15, 0.1.
        let logits: Vec<f32> = [0.5f32, 0.25, 0.15, 0.1].iter().map(|p| p.ln()).collect();
        let near = |sampling, expected: [i32; 4]| {
            let found = frequencies(sampling, &logits);
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1),
                "{found:?} is not {expected:?}"
            );
        };
        near(sampling(|_| ()), [50, 25, 15, 10]);
        near(sampling(|s| s.temperature = 0.0), [100, 0, 0, 0]);
        near(sampling(|s| s.temperature = 0.5), [72, 18, 7, 3]);
        near(sampling(|s| s.top_k = 2), [67, 33, 0, 0]);
        near(sampling(|s| s.top_p = 0.7), [67, 33, 0, 0]);
        near(sampling(|s| s.top_p = 0.01), [100, 0, 0, 0]);
        near(sampling(|s| s.min_p = 0.25), [56, 28, 17, 0]);
    }

    #[test]
    fn repetition_is_penalised_within_the_window() {
        let sampling = Sampling { repetition_penalty: 2.0, repetition_window: 2, ..Sampling::default() };
        let mut sampler = Sampler::new(sampling);
        assert_eq!(sampler.sample(&mut [3.0, 2.0, -1.0], &[0]), 1);
        assert_eq!(sampler.sample(&mut [3.0, 2.0, -1.0], &[0, 2, 2]), 0);
        assert_eq!(sampler.sample(&mut [-3.0, -2.0], &[1]), 0);
    }

    #[test]
    fn log_probabilities_are_those_of_the_softmax() {
        let logits = [0.2f32.ln() + 7.0, 0.8f32.ln() + 7.0];
        assert!((log_probability(&logits, 1) - 0.8f32.ln()).abs() < 1e-6);
        assert_eq!(log_probability(&logits, 9), f32::NEG_INFINITY);
    }

    proptest! {
        #[test]
        fn any_logits_give_a_token_of_the_vocabulary_and_the_same_one_again(
            logits in proptest::collection::vec(prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY), -50f32..50.0], 1..40),
            temperature in 0f32..3.0, top_k in 0usize..50, top_p in 0.01f32..1.0, min_p in 0f32..1.0, seed: u64,
        ) {
            let sampling = Sampling { temperature, top_k, top_p, min_p, seed, repetition_penalty: 1.1, ..Sampling::default() };
            let history = [0, 3, 999];
            let draw = || {
                let mut sampler = Sampler::new(sampling.clone());
                [0; 4].map(|_| sampler.sample(&mut logits.clone(), &history))
            };
            prop_assert!(draw().iter().all(|&token| (token as usize) < logits.len()));
            prop_assert_eq!(draw(), draw());
        }
    }
}
