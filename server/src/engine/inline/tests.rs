use std::time::Instant;

use super::*;
use crate::store::Compiler;

const POLICY: &str = "schema: 1\ndefault: small\nmodels: [{id: small}, {id: large}]\n";

fn base(policy: &str) -> Arc<Snapshot> {
    let compiler = Compiler::new().unwrap();
    Arc::new(compiler.compile(policy.as_bytes(), "test", None).unwrap().0)
}

fn described<'a>(description: &'a str, model_ids: &'a [String]) -> [InlineRoute<'a>; 1] {
    [InlineRoute {
        name: "one",
        description,
        model_ids,
    }]
}

fn small() -> Vec<String> {
    vec!["small".to_owned()]
}

#[tokio::test]
async fn a_set_is_compiled_once_however_many_want_it_at_once() {
    let (inline, base, small) = (InlineRoutes::default(), base(POLICY), small());
    let routes = described("poems and stories", &small);
    let all = (0..20).map(|_| inline.ready(inline.find(&base, &routes).unwrap()));
    let all: Vec<_> = futures_util::future::join_all(all).await;
    let first = all[0].as_ref().unwrap();
    assert!(all.iter().all(|one| Arc::ptr_eq(one.as_ref().unwrap(), first)));
    match inline.find(&base, &routes).unwrap() {
        Found::Ready(again) => assert!(Arc::ptr_eq(&again, first)),
        Found::New(_) => panic!("the set is kept"),
    }
    assert_eq!(inline.len(), 1);
}

#[tokio::test]
async fn beyond_the_line_new_sets_are_refused_and_sets_that_wait_or_are_ready_are_served() {
    let (inline, base, small) = (InlineRoutes::default(), base(POLICY), small());
    let texts: Vec<String> = (0..IN_LINE + 3)
        .map(|n| format!("kind {n} of requests"))
        .collect();
    let find = |n: usize| inline.find(&base, &described(&texts[n], &small)).unwrap();
    let ready = inline.ready(find(0)).await.unwrap();
    // One joins a set that waits already; two are beyond the line.
    let wanted = (1..IN_LINE + 3).chain([1, 0]);
    let answers = futures_util::future::join_all(wanted.map(|n| inline.ready(find(n)))).await;
    let refused: Vec<usize> = answers
        .iter()
        .enumerate()
        .filter(|(_, answer)| matches!(answer, Err(EngineError::InlineOverload)))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(refused, [IN_LINE, IN_LINE + 1]);
    assert!(Arc::ptr_eq(answers[IN_LINE + 3].as_ref().unwrap(), &ready));
    // What was refused is served once the line is shorter.
    assert!(inline.ready(find(IN_LINE + 1)).await.is_ok());
}

#[tokio::test]
async fn who_stops_waiting_stops_nobody_else() {
    let (inline, base, small) = (InlineRoutes::default(), base(POLICY), small());
    let routes = described("poems and stories", &small);
    let wait = inline.ready(inline.find(&base, &routes).unwrap());
    assert!(
        tokio::time::timeout(std::time::Duration::ZERO, wait)
            .await
            .is_err()
    );
    inline.ready(inline.find(&base, &routes).unwrap()).await.unwrap();
    assert_eq!(inline.len(), 1);
}

#[tokio::test]
async fn the_least_recently_used_set_makes_room() {
    let (base, small) = (base(POLICY), small());
    let mut sets = Sets::default();
    let policy = base.policy.with_inline(&described("poems", &small)).unwrap();
    let snapshot = Arc::new(base.with_routes(policy, [0; 32]));
    let key = |n: usize| *blake3::hash(&n.to_le_bytes()).as_bytes();
    for n in 0..KEPT {
        sets.keep(key(n), snapshot.clone());
    }
    assert!(sets.ready(&key(0)).is_some());
    sets.keep(key(KEPT), snapshot.clone());
    assert!(sets.ready(&key(0)).is_some() && sets.ready(&key(1)).is_none());
    assert_eq!(sets.ready.len(), KEPT);
}

#[test]
fn whatever_differs_is_another_set() {
    let (base, small, large) = (base(POLICY), small(), vec!["large".to_owned()]);
    let other = self::base(&POLICY.replace("default: small", "default: large"));
    let route = described("poems and stories", &small)[0];
    let sets = [
        vec![route],
        vec![InlineRoute { name: "two", ..route }],
        vec![InlineRoute {
            description: "poems and storie",
            ..route
        }],
        vec![InlineRoute {
            model_ids: &large,
            ..route
        }],
        vec![InlineRoute {
            model_ids: &[],
            ..route
        }],
        vec![route, route],
    ];
    let mut all: Vec<Identity> = sets.iter().map(|set| identity(&base, set)).collect();
    all.push(identity(&other, &sets[0]));
    let different = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), different);
}

#[tokio::test]
async fn a_new_set_takes_a_fraction_of_a_second_and_a_repeated_one_nothing() {
    let (inline, base, small) = (InlineRoutes::default(), base(POLICY), small());
    let texts: Vec<String> = (0..MANY)
        .map(|n| format!("requests of kind {n}, such as {n}"))
        .collect();
    let names: Vec<String> = (0..MANY).map(|n| format!("route-{n}")).collect();
    let routes: Vec<InlineRoute<'_>> = (0..MANY)
        .map(|n| InlineRoute {
            name: &names[n],
            description: &texts[n],
            model_ids: &small,
        })
        .collect();
    let start = Instant::now();
    inline.ready(inline.find(&base, &routes).unwrap()).await.unwrap();
    let new = start.elapsed();
    let start = Instant::now();
    inline.ready(inline.find(&base, &routes).unwrap()).await.unwrap();
    let again = start.elapsed();
    println!("{MANY} routes: new {new:?}, again {again:?}");
    assert!(again * 20 < new, "new {new:?}, again {again:?}");
}
const MANY: usize = signalbox_decide::policy::MOST_ROUTES;
