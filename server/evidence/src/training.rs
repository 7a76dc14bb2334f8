//! What a classifier is compiled from, and the texts that a route stands for.

/// One route of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteText {
    /// Its name; underscores and hyphens are read as spaces.
    pub name: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// Prompts that belong to it.
    pub examples: Vec<String>,
}

/// All that a classifier learns from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrainingSet {
    /// The routes in policy order.
    pub routes: Vec<RouteText>,
    /// Prompts that belong to no route.
    pub other_examples: Vec<String>,
}

impl TrainingSet {
    /// How many texts it stands for: names, descriptions and their clauses, examples and negatives.
    #[must_use]
    pub fn texts(&self) -> usize {
        let of = |route: &RouteText| 2 + route.clauses().len() + route.examples.len();
        self.routes.iter().map(of).sum::<usize>() + self.other_examples.len()
    }
}

impl RouteText {
    /// The name as words.
    pub(crate) fn title(&self) -> String {
        self.name.replace(['_', '-'], " ")
    }

    /// Name and description in one text.
    pub(crate) fn headline(&self) -> String {
        format!("{}: {}", self.title(), self.description)
    }

    /// The parts of the description between `, ; : . ( )` and the words `and`, `or`.
    pub(crate) fn clauses(&self) -> Vec<String> {
        let mut out = Vec::new();
        for part in self.description.split([',', ';', ':', '.', '(', ')']) {
            let mut words: Vec<&str> = Vec::new();
            for word in part.split_whitespace().chain(["and"]) {
                if word == "and" || word == "or" {
                    let clause = words.join(" ");
                    if clause.chars().count() > 2 {
                        out.push(clause);
                    }
                    words.clear();
                } else {
                    words.push(word);
                }
            }
        }
        out
    }
}
