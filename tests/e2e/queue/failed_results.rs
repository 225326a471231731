//! Results of jobs without a model have the fields and types of successful results, so that a
//! strict backend can read all of them into one type.

use oculus_tests::{Worker, jobs};

use super::*;

/// The fields of the contract with the backend, as JSON pointers.
const CONTRACT: [&str; 20] = [
    "/build_id",
    "/status",
    "/phase",
    "/model_metrics/model_name",
    "/model_metrics/f1",
    "/model_metrics/precision",
    "/model_metrics/recall",
    "/model_metrics/auc",
    "/extracted_rules/entry_rules",
    "/extracted_rules/exit_rules",
    "/extracted_rules/top_features",
    "/backtest_results/status",
    "/backtest_results/note",
    "/design_config/forward_returns_days_options",
    "/design_config/profit_threshold_options",
    "/design_config/n_iter_search",
    "/design_config/cv_folds",
    "/design_config/config_search_model",
    "/design_config/train_neural_networks",
    "/design_config/train_lstm",
];

/// Returns the top-level fields of a result, except `error`.
fn fields(result: &Value) -> Vec<&str> {
    let fields = result.as_object().unwrap().keys().map(String::as_str);
    fields.filter(|name| *name != "error").collect()
}

fn kind_of(value: Option<&Value>) -> &'static str {
    match value {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "list",
        Some(Value::Object(_)) => "object",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_failed_and_cancelled_results_have_every_field_of_a_success_and_the_types_of_the_contract() {
    let redis = Redis::start();
    let worker = Worker::start(&redis, &[("JOB_TIMEOUT_SECONDS", "20")]);
    redis.submit(&jobs::example("success"));
    let success = redis.result_of("success");
    assert_eq!(success["status"], "success", "{success}");

    let mut refused = jobs::job("refused");
    refused["design"]["years"] = json!(0);
    redis.submit(&refused);
    redis.submit_payload("not-json", "{\"build_id\": \"not-json\", \"symbols\": NaN}");
    redis.push("missing");
    redis.submit(&jobs::endless_job("cancelled"));
    worker.wait_for_event("start", |event| event.is_start_of("cancelled"));
    redis.cancel("cancelled");
    let mut results: Vec<Value> =
        ["refused", "not-json", "missing", "cancelled"].iter().map(|id| redis.result_of(id)).collect();
    assert_eq!(results[3]["status"], "cancelled");
    results.push(vanished(&redis).await);

    for result in &results {
        assert_eq!(fields(result), fields(&success), "{result}");
        assert!(result["error"]["code"].is_string(), "{result}");
        for pointer in CONTRACT {
            let kinds = [result, &success].map(|result| kind_of(result.pointer(pointer)));
            assert_eq!(kinds[0], kinds[1], "{pointer} in {result}");
        }
        for list in ["models", "warnings"] {
            assert_eq!(result[list], json!([]), "{result}");
        }
    }
}

/// Returns the result of a job whose workers vanish, which the reaper writes.
async fn vanished(redis: &Redis) -> Value {
    let queue = queue(redis);
    push(redis, "vanished");
    for _ in 0..MAX_VANISHED {
        let claim = run(&queue, "vanished").await;
        expire(redis, &claim);
        reap(&queue).await.unwrap();
    }
    redis.json_at("result:vanished")
}
