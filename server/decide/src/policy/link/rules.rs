//! What rules name.

use super::Linker;
use crate::policy::ModelIndex;
use crate::policy::draft::{Draft, DraftAction, DraftRule, DraftUse, Name};
use crate::rule::{Action, Rule, RuleIndex, Rules, Use};

impl Linker<'_> {
    pub(super) fn rules(&mut self, draft: &Draft) -> Rules {
        Rules::new(
            draft
                .rules
                .iter()
                .filter_map(|rule| self.rule(draft, rule))
                .collect(),
        )
    }

    fn rule(&mut self, draft: &Draft, rule: &DraftRule) -> Option<Rule> {
        // Names are checked even where the condition is wrong.
        let action = match rule.action.as_ref()? {
            DraftAction::Deny(message) => Action::Deny(message.clone()),
            DraftAction::Set(set) => Action::Set(set.clone()),
            DraftAction::Use(whom, plan) => {
                let (whom, pool) = self.whom(draft, whom)?;
                let plan = plan.as_ref().map(|plan| self.plan(plan, &pool));
                Action::Use(whom, plan)
            }
        };
        Some(Rule {
            name: rule.name.value.clone(),
            when: rule.when.clone()?,
            action,
        })
    }

    /// Whom a rule uses, and the models that this can be.
    fn whom(&mut self, draft: &Draft, whom: &DraftUse) -> Option<(Use, Vec<ModelIndex>)> {
        Some(match whom {
            DraftUse::Models(names) => {
                let models = self.models_or_aliases(draft, names);
                (Use::Models(models.clone()), models)
            }
            DraftUse::Route(name) => {
                let index = self.route_index(name)?;
                // What is wrong with the route's own list is reported there.
                let names = draft.routes[index].models.iter();
                let pool = names.filter_map(|name| self.models.get(&name.value).copied());
                (Use::Route(index), pool.collect())
            }
            DraftUse::Profile(name) => (
                Use::Profile(self.profile(name)?),
                (0..draft.models.len()).collect(),
            ),
        })
    }

    /// Models in order; an alias stands for its models.
    fn models_or_aliases(&mut self, draft: &Draft, names: &[Name]) -> Vec<ModelIndex> {
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            match draft.aliases.iter().find(|(alias, _)| alias.value == name.value) {
                Some((_, targets)) => ids.extend(targets.iter().map(|target| Name {
                    at: name.at.clone(),
                    ..target.clone()
                })),
                None => ids.push(name.clone()),
            }
        }
        self.models_of(&ids)
    }

    pub(super) fn rule_index(&mut self, name: &Name) -> Option<RuleIndex> {
        match self.rules.get(&name.value) {
            Some(index) => Some(*index),
            None => self.unknown("unknown-rule", "rule", name, |linker| &linker.rules),
        }
    }
}
