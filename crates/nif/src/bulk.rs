//! What is taken out of an index, or made of texts, in bulk: chunks page by page, and vectors as one piece of memory.

use ambix_core::lanes::Lane;
use ambix_core::{Error, Result};
use ambix_macros::nif;
use rustler::{Encoder, Env, NifMap, Resource, ResourceArc, Term};

use crate::guard::guard;
use crate::index::IndexRef;
use crate::job;
use crate::model::EncoderRef;
use crate::pool;

/// More chunks are not encoded at once: the texts of a page are copied to the caller's heap.
const MOST_OF_A_PAGE: usize = 1000;

/// Numbers that a binary of the BEAM shows, and that live as long as it does.
struct Floats(Vec<f32>);

#[rustler::resource_impl]
impl Resource for Floats {}

impl Drop for Floats {
    fn drop(&mut self) {
        pool::drop_later(std::mem::take(&mut self.0));
    }
}

impl Floats {
    fn bytes(&self) -> &[u8] {
        // SAFETY: every four bytes of a float are bytes, of which there are as many as memory is read here; an alignment of 1 is
        // always met, and the numbers live and do not move while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), size_of_val(&*self.0)) }
    }
}

/// A matrix, which becomes `{binary, rows, columns}`: floats in the machine's order, row by row.
struct Matrix {
    floats: ResourceArc<Floats>,
    rows: usize,
    columns: usize,
}

impl Matrix {
    fn new(floats: Vec<f32>, rows: usize, columns: usize) -> Matrix {
        Matrix { floats: ResourceArc::new(Floats(floats)), rows, columns }
    }
}

impl Encoder for Matrix {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        (self.floats.make_binary(env, Floats::bytes), self.rows, self.columns).encode(env)
    }
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExChunk {
    file: String,
    line_start: u32,
    line_end: u32,
    symbol: String,
    kind: Option<&'static str>,
    header: String,
    text: String,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExDense {
    chunks: Vec<u32>,
    vectors: Matrix,
}

#[nif(schedule = "DirtyCpu")]
fn index_snapshot(env: Env<'_>, index: ResourceArc<IndexRef>) -> Term<'_> {
    guard(env, || Ok(index.snapshot()))
}

#[nif(schedule = "DirtyCpu")]
fn index_chunks(env: Env<'_>, index: ResourceArc<IndexRef>, first: usize, count: usize) -> Term<'_> {
    guard(env, || {
        let index = index.current();
        let numbers = first..first.saturating_add(count.min(MOST_OF_A_PAGE));
        let chunks = numbers.map_while(|number| index.nth_chunk(number)).map(|(file, chunk)| ExChunk {
            file: file.path.to_string(),
            line_start: chunk.span.line_start,
            line_end: chunk.span.line_end,
            symbol: chunk.symbol.to_string(),
            kind: chunk.kind.map(|kind| kind.as_str()),
            header: chunk.header.to_string(),
            text: file
                .text
                .get(chunk.span.start as usize..chunk.span.end as usize)
                .unwrap_or_default()
                .to_owned(),
        });
        Ok(chunks.collect::<Vec<_>>())
    })
}

#[nif]
// normal: starts a job
fn index_vectors<'a>(env: Env<'a>, reference: Term<'a>, index: ResourceArc<IndexRef>) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |_| {
        let dense = index.current().dense();
        let (rows, columns) = (dense.chunks.len(), dense.dimensions);
        Ok(ExDense { chunks: dense.chunks, vectors: Matrix::new(dense.data, rows, columns) })
    })
}

#[nif(schedule = "DirtyCpu")]
fn encoder_matrix<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    encoder: ResourceArc<EncoderRef>,
    texts: Vec<String>,
) -> Term<'a> {
    job::start(env, reference, Lane::Model, move |reporter| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rows = encoder.encoder().embed(&texts, reporter.cancel())?;
        matrix(&rows, encoder.encoder().dimensions())
    })
}

fn matrix(rows: &[Vec<f32>], columns: usize) -> Result<Matrix> {
    if rows.iter().any(|row| row.len() != columns) {
        return Err(Error::invalid("the encoder gave vectors of different lengths"));
    }
    Ok(Matrix::new(rows.concat(), rows.len(), columns))
}
