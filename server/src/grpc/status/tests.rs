use super::*;

fn worst(count: usize, length: usize) -> Vec<FieldViolation> {
    let long = "ü".repeat(length);
    (0..count)
        .map(|_| FieldViolation::new(long.clone(), long.clone()))
        .collect()
}

#[test]
fn the_worst_error_stays_within_both_bounds_even_on_the_wire() {
    for (count, length) in [(1, 10_000), (64, 500), (64, 3), (64, 40)] {
        let failure = Failure::new(Code::InvalidArgument, reason::INVALID_REQUEST, "ü".repeat(10_000))
            .with("name", "ü".repeat(10_000))
            .violations(worst(count, length), 10_000);
        let status = failure.status();
        assert!(
            status.details().len() <= MAX_DETAILS_BYTES,
            "{} bytes",
            status.details().len()
        );
        assert!(status.message().len() <= MAX_MESSAGE_BYTES);
        let response = status.into_http::<()>();
        let trailers: usize = response
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 32)
            .sum();
        assert!(trailers <= 8192, "{trailers} bytes of trailers");
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let failure =
        Failure::new(Code::InvalidArgument, reason::INVALID_REQUEST, "bad").violations(worst(64, 30), 36);
    let status = failure.status();
    let details = status.get_error_details();
    let kept = details.bad_request().unwrap().field_violations.len();
    assert!(kept > 5, "{kept} were kept");
    assert_eq!(
        details.error_info().unwrap().metadata["omitted"],
        (100 - kept).to_string()
    );
    assert_eq!(status.message(), format!("bad (omitted={})", 100 - kept));
}

#[test]
fn nothing_is_counted_where_all_fits() {
    let status = Failure::new(Code::InvalidArgument, reason::INVALID_REQUEST, "bad")
        .violations(worst(3, 10), 0)
        .status();
    assert_eq!(status.get_error_details().error_info().unwrap().metadata.len(), 0);
    assert_eq!(status.message(), "bad");
}

#[test]
fn a_defect_shows_an_id_and_nothing_of_its_cause() {
    let status = internal("the cause");
    let id = status.get_error_details().error_info().unwrap().metadata["id"].clone();
    assert!(status.message().contains(&id) && !status.message().contains("cause"));
}
