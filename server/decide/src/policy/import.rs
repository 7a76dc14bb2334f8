//! Formats of others, told apart by their top-level keys, read into the same [`Draft`] as our own. What in them is not
//! about routing is named and ignored: such a file also configures another product.

mod ollm;
mod plano;

use super::draft::Draft;
use super::lower::lower;
use super::place::Report;
use super::tree::Node;

/// Reads a policy in whichever format it has.
pub(super) fn read(root: &Node, report: &mut Report) -> Draft {
    let has = |key| root.get(key).is_some();
    if has("schema") {
        lower(root, report)
    } else if has("llm_providers") || has("model_providers") {
        plano::read(root, report)
    } else if !has("models") && has("routing") {
        ollm::read(root, report)
    } else {
        lower(root, report)
    }
}

#[cfg(test)]
mod tests;
