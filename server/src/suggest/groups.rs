//! Two groups of texts by their embeddings: 2-means on the sphere from a start that is always the same, and the mean
//! silhouette (Rousseeuw 1987) by cosine distance: near 0 where there is one group, 1 where there are two points. Pure.

/// Rounds after which the groups are taken as they are; they stand still long before.
const ROUNDS: usize = 50;

/// Two groups.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Groups {
    /// The group of each vector.
    pub(super) side: Vec<usize>,
    /// Their means.
    centres: [Vec<f32>; 2],
    /// How well they are apart, -1 to 1.
    pub(super) silhouette: f32,
}

/// The groups of vectors of length 1; `None` where one of two would be empty.
pub(super) fn groups(vectors: &[Vec<f32>]) -> Option<Groups> {
    let middle = mean(vectors.iter());
    let first = farthest(vectors, &middle)?;
    let second = farthest(vectors, first)?;
    let mut side = nearer(vectors, &[first.clone(), second.clone()]);
    for _ in 0..ROUNDS {
        let centres = means(vectors, &side);
        let next = nearer(vectors, &centres.each_ref().map(|centre| unit(centre)));
        if next == side {
            break;
        }
        side = next;
    }
    let sizes = [0, 1].map(|group| side.iter().filter(|side| **side == group).count());
    if sizes.contains(&0) {
        return None;
    }
    let centres = means(vectors, &side);
    let silhouette = silhouette(vectors, &side, &centres, sizes);
    Some(Groups {
        side,
        centres,
        silhouette,
    })
}

impl Groups {
    /// The cosine distance of their centres, 0 to 2.
    pub(super) fn distance(&self) -> f32 {
        let [first, second] = &self.centres;
        distance(first, second)
    }

    /// The group whose centre is nearer.
    pub(super) fn of(&self, vector: &[f32]) -> usize {
        let [first, second] = self.centres.each_ref().map(|centre| dot(&unit(centre), vector));
        usize::from(second > first)
    }

    /// The members of a group, the nearest to its centre first.
    pub(super) fn by_nearness(&self, vectors: &[Vec<f32>], group: usize) -> Vec<usize> {
        let mut members: Vec<usize> = (0..vectors.len()).filter(|at| self.side[*at] == group).collect();
        let near = |at: usize| dot(&vectors[at], &self.centres[group]);
        members.sort_by(|&a, &b| f32::total_cmp(&near(b), &near(a)));
        members
    }
}

/// The mean of what is a mean cosine distance to the vector's own group, without itself, beside that to the other one. The mean
/// of cosines is the cosine of the mean, so this takes no pairs.
fn silhouette(vectors: &[Vec<f32>], side: &[usize], centres: &[Vec<f32>; 2], sizes: [usize; 2]) -> f32 {
    let one = |(vector, &own): (&Vec<f32>, &usize)| {
        if sizes[own] == 1 {
            return 0.0;
        }
        let size = sizes[own] as f32;
        let others = (size * dot(vector, &centres[own]) - dot(vector, vector)) / (size - 1.0);
        let (inside, outside) = (1.0 - others, 1.0 - dot(vector, &centres[1 - own]));
        (outside - inside) / inside.max(outside).max(f32::EPSILON)
    };
    vectors.iter().zip(side).map(one).sum::<f32>() / vectors.len() as f32
}

fn nearer(vectors: &[Vec<f32>], centres: &[Vec<f32>; 2]) -> Vec<usize> {
    let one = |vector: &Vec<f32>| usize::from(dot(vector, &centres[1]) > dot(vector, &centres[0]));
    vectors.iter().map(one).collect()
}

fn means(vectors: &[Vec<f32>], side: &[usize]) -> [Vec<f32>; 2] {
    [0, 1].map(|group| {
        let members = vectors.iter().zip(side).filter(|(_, side)| **side == group);
        mean(members.map(|(vector, _)| vector))
    })
}

/// The mean, zeros of nothing.
pub(super) fn mean<'v>(vectors: impl Iterator<Item = &'v Vec<f32>>) -> Vec<f32> {
    let (mut sum, mut count) = (Vec::new(), 0.0);
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
        count += 1.0;
    }
    sum.iter_mut().for_each(|value| *value /= count);
    sum
}

/// The cosine distance of two vectors of any length, 0 to 2.
pub(super) fn distance(a: &[f32], b: &[f32]) -> f32 {
    1.0 - dot(&unit(a), &unit(b))
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let length = dot(vector, vector).sqrt().max(f32::MIN_POSITIVE);
    vector.iter().map(|value| value / length).collect()
}

/// The vector that is least like another; of equal ones the first.
fn farthest<'v>(vectors: &'v [Vec<f32>], from: &[f32]) -> Option<&'v Vec<f32>> {
    vectors
        .iter()
        .min_by(|a, b| f32::total_cmp(&dot(a, from), &dot(b, from)))
}

pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(degrees: f32) -> Vec<f32> {
        vec![degrees.to_radians().cos(), degrees.to_radians().sin()]
    }

    #[test]
    fn two_bundles_are_two_groups_and_one_bundle_is_none_worth_telling() {
        let two: Vec<Vec<f32>> = [0.0, 80.0, 5.0, 85.0, 10.0, 90.0].map(at).to_vec();
        let apart = groups(&two).unwrap();
        assert_eq!(apart.side[0], apart.side[2]);
        assert_eq!(apart.side, [0, 1, 0, 1, 0, 1].map(|side| side ^ apart.side[0]));
        assert!(apart.silhouette > 0.95 && apart.distance() > 0.7, "{apart:?}");
        assert_eq!(apart.by_nearness(&two, apart.side[1]), [3, 1, 5]);
        assert_eq!(apart.of(&at(70.0)), apart.side[1]);
        // Evenly spread: the half that it is cut into are no groups.
        let one: Vec<Vec<f32>> = (0..20).map(|step| at(step as f32)).collect();
        assert!(groups(&one).unwrap().silhouette < 0.8);
    }

    #[test]
    fn what_is_all_the_same_is_no_two_groups() {
        assert_eq!(groups(&[at(1.0), at(1.0), at(1.0)]), None);
        assert_eq!(groups(&[]), None);
    }
}
