//! oLLM's routing section: a profile and families. It names no models, so the built-in catalogue stands in.

use crate::policy::catalogue;
use crate::policy::draft::{Draft, DraftModel, Name};
use crate::policy::fields::Fields;
use crate::policy::place::{Place, Report};
use crate::policy::shape::check::check;
use crate::policy::shape::{Kind, OLLM, OLLM_ROUTING};
use crate::policy::tree::Node;
use crate::policy::{Profile, builtin_profiles};

/// Reads oLLM's configuration.
pub(super) fn read(root: &Node, report: &mut Report) -> Draft {
    check(root, &Kind::Object(&OLLM), "", report);
    let file = Fields::new(root, &OLLM, "");
    let mut draft = Draft {
        models: catalogue::models(),
        ..Draft::default()
    };
    if let Some(routing) = file.object("routing", &OLLM_ROUTING) {
        draft.profile = routing.spanned("profile");
        draft.prefer_families = routing.texts("preferred_families");
    }
    let profile = draft
        .profile
        .as_ref()
        .and_then(|name| builtin_profiles().into_iter().find(|p| p.name == name.value));
    draft.default = default(&draft, profile.as_ref()).into_iter().collect();
    let message = format!(
        "no models are listed: the built-in catalogue of {} is used",
        draft.models.len()
    );
    report.info("catalogue", &root.place(""), message);
    draft
}

/// The first model that fits the profile, of the first preferred family that has one; else the first of all.
fn default(draft: &Draft, profile: Option<&Profile>) -> Option<Name> {
    let fitting: Vec<&DraftModel> = draft
        .models
        .iter()
        .filter(|model| profile.is_none_or(|profile| fits(profile, model)))
        .collect();
    let of_family = |wanted: &String| {
        fitting
            .iter()
            .find(|m| m.family.as_ref().is_some_and(|f| f.eq_ignore_ascii_case(wanted)))
    };
    let preferred = draft
        .prefer_families
        .iter()
        .find_map(of_family)
        .or(fitting.first());
    let chosen = preferred.copied().or(draft.models.first())?;
    Some(Name {
        value: chosen.id.value.clone(),
        at: Place::default(),
    })
}

fn fits(profile: &Profile, model: &DraftModel) -> bool {
    let size = model.parameters_b;
    let above = profile
        .min_parameters_b
        .is_none_or(|min| size.is_some_and(|size| size >= min));
    let below = profile
        .max_parameters_b
        .is_none_or(|max| size.is_some_and(|size| size < max || (profile.max_inclusive && size == max)));
    above
        && below
        && profile
            .capabilities
            .iter()
            .all(|wanted| model.capabilities.contains(wanted))
}
