//! Routes that a request brings for itself. They are held to what a file's routes are held to, by the same code, and take
//! the place of the policy's where evidence compares routes. Called by the engine; pure, and cheap beside the training
//! of a classifier.

use super::draft::{Draft, DraftRoute, Name};
use super::link::link_routes;
use super::place::{Place, Report, child, item};
use super::shape::Text;
use super::shape::check::limits;
use super::{Policy, RouteIndex};
use crate::diagnostic::Diagnostic;

/// Most routes of a request.
pub const MOST_ROUTES: usize = 64;
/// Most bytes of their names, descriptions and model ids together.
pub const MOST_BYTES: usize = 64 << 10;

/// The field of the request that holds them: where every path of a problem begins.
const FIELD: &str = "route_preferences";

/// A route as a request gives it, before anything is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InlineRoute<'a> {
    /// Its name.
    pub name: &'a str,
    /// What belongs to it, in words.
    pub description: &'a str,
    /// Ids of models of the policy, the preferred first.
    pub model_ids: &'a [String],
}

impl InlineRoute<'_> {
    fn bytes(&self) -> usize {
        let ids: usize = self.model_ids.iter().map(String::len).sum();
        self.name.len() + self.description.len() + ids
    }
}

impl Policy {
    /// This policy with a request's routes after its own, and evidence comparing only those. Its own tests are left out.
    ///
    /// # Errors
    /// Every problem of the routes, in their order, with paths such as `route_preferences[0].model_ids[1]`; lines are 0.
    pub fn with_inline(&self, inline: &[InlineRoute<'_>]) -> Result<Policy, Vec<Diagnostic>> {
        let mut report = Report::default();
        let bytes: usize = inline.iter().map(InlineRoute::bytes).sum();
        let whole = Place {
            path: FIELD.to_owned(),
            ..Place::default()
        };
        if inline.len() > MOST_ROUTES {
            let message = format!("{} routes are too many, the most is {MOST_ROUTES}", inline.len());
            report.error("out-of-range", &whole, message, "put them into the policy");
        }
        if bytes > MOST_BYTES {
            let message = format!("{bytes} bytes of text are too many, the most is {MOST_BYTES}");
            report.error("out-of-range", &whole, message, "shorten the descriptions");
        }
        if report.has_errors() {
            return Err(report.finish());
        }
        let mut places = 0;
        let routes = inline.iter().enumerate();
        let routes: Vec<DraftRoute> = routes
            .map(|(index, route)| draft(index, route, &mut places, &mut report))
            .collect();
        let names = Draft {
            routes,
            ..self.names()
        };
        let own = link_routes(&names, &mut report);
        if report.has_errors() {
            return Err(report.finish());
        }
        let scored_from: RouteIndex = self.routes.len();
        let mut policy = Policy {
            scored_from,
            tests: Vec::new(),
            ..self.clone()
        };
        policy.routes.extend(own);
        Ok(policy)
    }
}

/// A route with its places, counted in `places` so that findings come in the order of the request. What a file's shape
/// says of a route's texts is said here.
fn draft(index: usize, route: &InlineRoute<'_>, places: &mut u32, report: &mut Report) -> DraftRoute {
    let path = item(FIELD, index);
    let mut text = |value: &str, path: String, rule: Text, report: &mut Report| {
        *places += 1;
        let at = Place {
            path,
            line: 0,
            column: *places,
        };
        if value.trim().is_empty() {
            report.error("out-of-range", &at, "the text is empty".into(), "write something");
        } else {
            limits(value, rule, &at, report);
        }
        Name {
            value: value.to_owned(),
            at,
        }
    };
    let name = text(route.name, child(&path, "name"), Text::Name, report);
    let description = text(
        route.description,
        child(&path, "description"),
        Text::Filled,
        report,
    );
    let list = child(&path, "model_ids");
    let ids = route.model_ids.iter().enumerate();
    let models: Vec<Name> = ids
        .map(|(at, id)| text(id, item(&list, at), Text::Id, report))
        .collect();
    if models.is_empty() {
        let at = Place {
            path: list,
            ..description.at.clone()
        };
        report.error(
            "out-of-range",
            &at,
            "the list is empty".into(),
            "name at least one model",
        );
    }
    DraftRoute {
        name,
        description: Some(description),
        models,
        ..DraftRoute::default()
    }
}

#[cfg(test)]
mod tests;
