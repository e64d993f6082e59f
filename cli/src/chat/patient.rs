//! `--patient age=34,sex=f,pregnant=no`.

use anyhow::{Context as _, bail};
use wenzhen_proto::clinical::v1::{PatientContext, Sex, Subject};

/// Reads what is known of the person beforehand.
///
/// # Errors
/// Naming the key or value that cannot be read.
pub fn parse(text: &str) -> anyhow::Result<PatientContext> {
    let mut patient = PatientContext::default();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').with_context(|| format!("--patient: `{pair}` is not key=value"))?;
        let wrong = |expected: &str| anyhow::anyhow!("--patient: {key} is {expected}, not `{value}`");
        match key {
            "age" => patient.age_months = Some(age(value).ok_or_else(|| wrong("years, or months as 2m"))?),
            "sex" => {
                patient.sex = match value {
                    "f" | "female" => Sex::Female,
                    "m" | "male" => Sex::Male,
                    _ => return Err(wrong("f or m")),
                } as i32;
            }
            "pregnant" => patient.pregnant = Some(yes_no(value).ok_or_else(|| wrong("yes or no"))?),
            "weeks" => patient.pregnancy_weeks = Some(value.parse().map_err(|_| wrong("a number of weeks"))?),
            "allergy" => patient.allergies.push(value.to_owned()),
            "medicine" => patient.medicines.push(value.to_owned()),
            "for" => {
                patient.subject = match value {
                    "self" => Subject::Self_,
                    "child" => Subject::Child,
                    "parent" => Subject::Parent,
                    "partner" => Subject::Partner,
                    "other" => Subject::Other,
                    _ => return Err(wrong("self, child, parent, partner or other")),
                } as i32;
            }
            _ => bail!("--patient: `{key}` is none of age, sex, pregnant, weeks, allergy, medicine, for"),
        }
    }
    Ok(patient)
}

/// Years, or months with an `m` behind them; in months.
fn age(value: &str) -> Option<u32> {
    match value.strip_suffix('m') {
        Some(months) => months.parse().ok(),
        None => value.parse::<u32>().ok()?.checked_mul(12),
    }
}

fn yes_no(value: &str) -> Option<bool> {
    match value {
        "yes" | "true" | "y" => Some(true),
        "no" | "false" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_key() {
        let text = "age=34,sex=f,pregnant=no,weeks=12,allergy=penicillin,medicine=aspirin,for=child";
        let patient = parse(text).unwrap();
        assert_eq!(patient.age_months, Some(408));
        assert_eq!(patient.sex(), Sex::Female);
        assert_eq!(patient.pregnant, Some(false));
        assert_eq!(patient.pregnancy_weeks, Some(12));
        assert_eq!((patient.allergies.len(), patient.medicines.len()), (1, 1));
        assert_eq!(patient.subject(), Subject::Child);
        assert_eq!(parse("age=2m").unwrap().age_months, Some(2));
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in
            [("age", "key=value"), ("age=old", "years"), ("sex=x", "f or m"), ("height=3", "none of")]
        {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
