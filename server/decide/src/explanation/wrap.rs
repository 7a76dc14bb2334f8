//! Lines for a terminal: none wider than 80 columns, except for a word that is.

/// The widest line, in characters.
const WIDTH: usize = 80;

/// Breaks every line that is too wide at its white space; what follows is indented two deeper than the line.
pub(super) fn wrap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        push_line(line.trim_end(), &mut out);
    }
    out
}

fn push_line(line: &str, out: &mut String) {
    if line.chars().count() <= WIDTH {
        out.push_str(line);
        out.push('\n');
        return;
    }
    let indent = line.chars().take_while(|&c| c == ' ').count();
    let mut width = 0;
    // Columns of a table stay as they are as long as they fit: only the break itself swallows white space.
    for (word, gap) in words(line) {
        let length = word.chars().count();
        if width > indent && width + gap + length > WIDTH {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent + 2));
            width = indent + 2;
        } else {
            out.extend(std::iter::repeat_n(' ', gap));
            width += gap;
        }
        out.push_str(word);
        width += length;
    }
    out.push('\n');
}

/// Each word with the spaces before it.
fn words(line: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut gap = 0;
    line.split(' ').filter_map(move |word| {
        if word.is_empty() {
            gap += 1;
            return None;
        }
        let before = std::mem::replace(&mut gap, 1);
        Some((word, before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_fits_is_left_alone() {
        assert_eq!(wrap("  1. a    b\n\nc  "), "  1. a    b\n\nc\n");
    }

    #[test]
    fn a_wide_line_goes_on_below_and_deeper() {
        let wrapped = wrap(&format!("  because {}", "word ".repeat(40)));
        let lines: Vec<&str> = wrapped.lines().collect();
        assert!(lines.len() == 3 && lines.iter().all(|line| line.chars().count() <= WIDTH));
        assert!(lines[0].starts_with("  because") && lines[1].starts_with("    word"));
        assert_eq!(wrapped.matches("word").count(), 40);
    }

    #[test]
    fn a_word_wider_than_the_terminal_is_not_cut() {
        let word = "x".repeat(200);
        assert_eq!(wrap(&format!("a {word} b")), format!("a\n  {word}\n  b\n"));
    }
}
