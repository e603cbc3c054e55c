//! Embeddings by content: `Ambix.EmbeddingCache`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambix_core::Cancel;
use ambix_core::retrieval::EmbeddingCache;
use ambix_macros::nif;
use rustler::{Env, NifMap, Resource, ResourceArc, Term};

use crate::guard::guard;
use crate::shared::Shared;

/// The handle of a cache, which all handles with the same file share.
pub struct CacheRef(pub Arc<EmbeddingCache>);

#[rustler::resource_impl]
impl Resource for CacheRef {}

static CACHES: Shared<(PathBuf, u64), EmbeddingCache> = Shared::new();

#[derive(NifMap)]
#[rustler(encode)]
struct ExCacheStats {
    entries: usize,
    bytes: u64,
    hits: u64,
    misses: u64,
    file_error: Option<String>,
}

#[nif(schedule = "DirtyIo")]
fn embedding_cache_open(env: Env<'_>, path: Option<String>, max_bytes: u64) -> Term<'_> {
    guard(env, || {
        let cache = match path {
            Some(path) => {
                let path = Path::new(&path);
                let open = || EmbeddingCache::open(path, max_bytes);
                CACHES.get_or_make((path.to_path_buf(), max_bytes), &Cancel::new(), open)?
            }
            None => Arc::new(EmbeddingCache::new(max_bytes)),
        };
        Ok(ResourceArc::new(CacheRef(cache)))
    })
}

#[nif(schedule = "DirtyIo")]
fn embedding_cache_stats(env: Env<'_>, cache: ResourceArc<CacheRef>) -> Term<'_> {
    guard(env, || {
        let stats = cache.0.stats();
        Ok(ExCacheStats {
            entries: stats.entries,
            bytes: stats.bytes,
            hits: stats.hits,
            misses: stats.misses,
            file_error: stats.file_error,
        })
    })
}
