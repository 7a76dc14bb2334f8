//! What rules name.

use super::Linker;
use crate::policy::draft::{Draft, DraftAction, DraftRule, Name};
use crate::rule::{Action, Rule, RuleIndex, Rules, Use};

impl Linker<'_> {
    pub(super) fn rules(&mut self, draft: &Draft) -> Rules {
        Rules::new(draft.rules.iter().filter_map(|rule| self.rule(rule)).collect())
    }

    fn rule(&mut self, rule: &DraftRule) -> Option<Rule> {
        // Names are checked even where the condition is wrong.
        let action = match rule.action.as_ref()? {
            DraftAction::Deny(message) => Action::Deny(message.clone()),
            DraftAction::Set(set) => Action::Set(set.clone()),
            DraftAction::Models(names) => Action::Use(Use::Models(self.models_of(names))),
            DraftAction::Route(name) => Action::Use(Use::Route(self.route_index(name)?)),
            DraftAction::Profile(name) => Action::Use(Use::Profile(self.profile(name)?)),
        };
        Some(Rule {
            name: rule.name.value.clone(),
            when: rule.when.clone()?,
            action,
        })
    }

    pub(super) fn rule_index(&mut self, name: &Name) -> Option<RuleIndex> {
        match self.rules.get(&name.value) {
            Some(index) => Some(*index),
            None => self.unknown("unknown-rule", "rule", name, |linker| &linker.rules),
        }
    }
}
