//! The built-in catalogue: a few open models for policies that name none, such as oLLM's. Small and dated on purpose; it
//! lets such a policy decide at all, and whoever runs other models lists them.

use super::draft::{DraftModel, Name};
use super::fields::Fields;
use super::lower::model;
use super::place::{Place, Report};
use super::shape::check::check;
use super::shape::{CATALOGUE_FILE, Kind, MODEL};
use super::tree;

const FILE: &str = include_str!("catalogue.yaml");

/// The models of the catalogue. They stand in no file of the author's, so they have no line.
pub(super) fn models() -> Vec<DraftModel> {
    let Ok(root) = tree::parse(FILE.as_bytes()) else {
        return Vec::new();
    };
    check(&root, &Kind::Object(&CATALOGUE_FILE), "", &mut Report::default());
    let file = Fields::new(&root, &CATALOGUE_FILE, "");
    let unplaced = |model: DraftModel| {
        let id = Name {
            at: Place::default(),
            ..model.id
        };
        DraftModel { id, ..model }
    };
    file.objects("models", &MODEL)
        .iter()
        .map(model)
        .map(unplaced)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_well_formed_and_every_model_says_what_profiles_ask_for() {
        let root = tree::parse(FILE.as_bytes()).unwrap();
        let mut report = Report::default();
        check(&root, &Kind::Object(&CATALOGUE_FILE), "", &mut report);
        assert_eq!(report.finish(), []);
        let models = models();
        assert!(models.len() >= 10);
        for model in &models {
            let stated =
                model.family.is_some() && model.parameters_b.is_some() && model.context_window.is_some();
            assert!(stated, "{}", model.id.value);
        }
    }
}
