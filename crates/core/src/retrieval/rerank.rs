//! Looking at the best places once more, by a model that reads question and text together or is too slow for all of them.

use super::answer::{Answer, CommonAnswer, Hit, search_all};
use super::features::Feature;
use super::index::Index;
use super::query::Query;
use super::weights::{RERANKED, WEIGHTS};
use crate::inference::{Encoder, Model, score};
use crate::{Cancel, Error, ErrorKind, Result};

/// Of a text so many bytes are read, which are about 250 tokens.
const LONGEST: usize = 800;

/// Judges how well texts answer a question.
pub trait Reranker: Send + Sync {
    /// A number for each text, higher is better. Only how they differ means anything.
    ///
    /// # Errors
    /// Those of the model and of [`Cancel::check`].
    fn judge(&self, question: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>>;
}

/// The nearness of vectors: for an encoder that is better than that of the index.
impl Reranker for Encoder {
    fn judge(&self, question: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>> {
        let all: Vec<&str> = std::iter::once(question).chain(texts.iter().copied()).collect();
        let vectors = self.embed(&all, cancel)?;
        let cosine = |other: &Vec<f32>| vectors[0].iter().zip(other).map(|(a, b)| a * b).sum();
        Ok(vectors[1..].iter().map(cosine).collect())
    }
}

/// How likely the model finds the question after the text (Sachan et al., "Improving Passage Retrieval with Zero-Shot Question
/// Generation", 2022): a log-probability.
impl Reranker for Model {
    fn judge(&self, question: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>> {
        let likelihood = |text: &&str| {
            let prompt = format!("{text}\n\nThe code above is the answer to this question: ");
            Ok(score(self, &prompt, &[question], cancel)?.iter().map(|it| it.logprob as f32).sum())
        };
        texts.iter().map(likelihood).collect()
    }
}

impl Index {
    /// The places that answer `query`, of which `reranker` has judged the best.
    ///
    /// # Errors
    /// Those of [`search_reranked`].
    pub fn search_reranked(&self, query: &Query, reranker: &dyn Reranker, cancel: &Cancel) -> Result<Answer> {
        let answer = search_reranked(&[self], query, reranker, cancel)?;
        let results = answer.results.into_iter().map(|(_, hit)| hit).collect();
        Ok(Answer { results, made_from: answer.made_from })
    }
}

/// As [`search_all`], but the best places, at most 20, also have the feature [`Feature::Reranked`], unless they are judged all alike.
///
/// # Errors
/// Those of [`search_all`] and of the reranker.
pub fn search_reranked(
    indexes: &[&Index],
    query: &Query,
    reranker: &dyn Reranker,
    cancel: &Cancel,
) -> Result<CommonAnswer> {
    // A limit of 0 stays the error that it is.
    let limit = if query.limit == 0 { 0 } else { query.limit.max(RERANKED) };
    let wider = Query { limit, ..query.clone() };
    let mut answer = search_all(indexes, &wider, cancel)?;
    let count = answer.results.len().min(RERANKED);
    let judged = &mut answer.results[..count];
    let texts: Vec<String> = judged.iter().map(|(at, hit)| text(indexes[*at], hit)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let scores = reranker.judge(&query.text, &texts, cancel)?;
    if scores.len() != texts.len() || scores.iter().any(|score| !score.is_finite()) {
        return Err(Error::new(
            ErrorKind::Model,
            "the model gave no number for each of the places; search without it, or load another one",
        ));
    }
    let weight = WEIGHTS[1][Feature::Reranked as usize];
    for ((_, hit), value) in judged.iter_mut().zip(standardised(&scores)) {
        if value != 0.0 {
            hit.score += weight * value;
            hit.features.push((Feature::Reranked, value, weight * value));
        }
    }
    answer.results.sort_by(|(_, one), (_, other)| other.score.total_cmp(&one.score));
    answer.results.truncate(query.limit);
    Ok(answer)
}

/// Where a place stands and its text, as far as it is read.
fn text(index: &Index, hit: &Hit) -> String {
    let text =
        index.text(&hit.file).and_then(|text| text.get(hit.span.start as usize..hit.span.end as usize));
    let text = text.unwrap_or_default();
    format!("{} ({})\n{}", hit.symbol, hit.file, &text[..text.floor_char_boundary(LONGEST)])
}

/// How far each is from the mean, in standard deviations: what a model's numbers mean differs from model to model.
fn standardised(scores: &[f32]) -> Vec<f32> {
    // Squares of what is finite in half the width are finite.
    let scores: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    let count = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let deviation = (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / count).sqrt();
    let distance = |score: &f64| if deviation > 0.0 { (score - mean) / deviation } else { 0.0 };
    scores.iter().map(|score| distance(score) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::BuildOptions;
    use crate::retrieval::testing::project;

    /// Likes texts with a word.
    struct Likes(&'static str, f32);

    impl Reranker for Likes {
        fn judge(&self, _: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>> {
            cancel.check()?;
            Ok(texts.iter().map(|text| if text.contains(self.0) { self.1 } else { 0.0 }).collect())
        }
    }

    fn index() -> Index {
        Index::build(project().path(), &BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap()
    }

    fn symbols(answer: &Answer) -> Vec<String> {
        answer.results.iter().map(|hit| hit.symbol.to_string()).collect()
    }

    #[test]
    fn what_the_model_likes_comes_before_its_equals_and_says_so() {
        let (index, query) = (index(), Query { limit: 3, ..Query::new("amounts of money in the cart") });
        let plain = index.search(&Query { limit: 20, ..query.clone() }, &Cancel::new()).unwrap();
        let last = plain.results.last().unwrap().clone();
        let answer = index
            .search_reranked(&Query { limit: 20, ..query.clone() }, &Likes("", 1.0), &Cancel::new())
            .unwrap();
        assert_eq!(answer, plain, "who likes all alike changes nothing");
        let liked = Likes(Box::leak(last.symbol.to_string().into_boxed_str()), 1e9);
        let answer =
            index.search_reranked(&Query { limit: 20, ..query.clone() }, &liked, &Cancel::new()).unwrap();
        let place = |answer: &Answer| symbols(answer).iter().position(|symbol| *symbol == *last.symbol);
        assert!(place(&answer) < place(&plain));
        for hit in &answer.results {
            let sum: f32 = hit.features.iter().map(|(_, _, adds)| adds).sum();
            assert!((sum - hit.score).abs() < 1.0, "the parts make the score, but for places of one file");
            assert!(
                hit.features
                    .iter()
                    .any(|(feature, value, _)| *feature == Feature::Reranked && value.abs() < 10.0)
            );
        }
        let few = index.search_reranked(&query, &liked, &Cancel::new()).unwrap();
        assert_eq!(few.results, answer.results[..3]);
    }

    #[test]
    fn a_model_without_sense_or_with_an_error_is_no_answer() {
        let (index, query) = (index(), Query::new("cart"));
        let bad = index.search_reranked(&query, &Likes("", f32::NAN), &Cancel::new()).unwrap_err();
        assert_eq!(bad.kind(), ErrorKind::Model);
        let none =
            index.search_reranked(&Query { limit: 0, ..query.clone() }, &Likes("", 1.0), &Cancel::new());
        assert_eq!(none.unwrap_err().kind(), ErrorKind::InvalidArgument);
        let huge = index.search_reranked(&query, &Likes("add", f32::MAX), &Cancel::new()).unwrap();
        assert!(huge.results.iter().all(|hit| hit.score.is_finite()));
        let cancel = Cancel::new();
        cancel.cancel();
        assert_eq!(
            index.search_reranked(&query, &Likes("", 1.0), &cancel).unwrap_err().kind(),
            ErrorKind::Cancelled
        );
        let none = index.search_reranked(&Query::new("zzzzqqq"), &Likes("", 1.0), &Cancel::new()).unwrap();
        assert!(none.results.is_empty());
    }
}
