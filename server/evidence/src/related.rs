//! How near the routes of a policy are to each other.
//!
//! After "find me a bus to Lyon", "get me two tickets" more likely means bus tickets than concert tickets: a
//! conversation leans towards the routes next to the one it is on.

use crate::linear::dot;
use crate::reader::Reader;
use crate::training::RouteText;
use crate::vocabulary::Features;

/// Above this many routes the table would cost more than it gives.
const ROUTES_UP_TO: usize = 256;

/// A square table: row the route held, column the other route; 0 for the median route and farther ones, 1 for the
/// nearest.
#[derive(Debug)]
pub(crate) struct Related {
    routes: usize,
    table: Vec<f32>,
}

impl Related {
    pub(crate) fn new(routes: &[RouteText], reader: &Reader) -> Self {
        let n = routes.len();
        if n > ROUTES_UP_TO {
            return Self {
                routes: n,
                table: Vec::new(),
            };
        }
        let headlines: Vec<Features> = routes
            .iter()
            .map(|route| reader.vector(&route.headline()))
            .collect();
        let mut table = vec![0f32; n * n];
        let mut spread = vec![0f32; reader.vocabulary.len()];
        for (i, a) in headlines.iter().enumerate() {
            for &(id, value) in &a.sparse {
                spread[id as usize] = value;
            }
            let row = &mut table[i * n..][..n];
            for (j, b) in headlines.iter().enumerate() {
                if i != j {
                    let shared: f32 = b
                        .sparse
                        .iter()
                        .map(|&(id, value)| value * spread[id as usize])
                        .sum();
                    row[j] = shared + dot(&a.dense, &b.dense);
                }
            }
            for &(id, _) in &a.sparse {
                spread[id as usize] = 0.0;
            }
            let mut sorted = row.to_vec();
            sorted.sort_by(f32::total_cmp);
            let (median, nearest) = (sorted[n / 2], sorted[n - 1]);
            for value in row.iter_mut() {
                *value = ((*value - median) / (nearest - median).max(1e-6)).clamp(0.0, 1.0);
            }
        }
        Self { routes: n, table }
    }

    /// Adds `scale` times the nearness to `held` to every other route's logit.
    pub(crate) fn add(&self, held: usize, scale: f32, routes: &mut [f32]) {
        let Some(row) = self.table.get(held * self.routes..(held + 1) * self.routes) else {
            return;
        };
        for (route, (z, near)) in routes.iter_mut().zip(row).enumerate() {
            if route != held {
                *z += scale * near;
            }
        }
    }
}
