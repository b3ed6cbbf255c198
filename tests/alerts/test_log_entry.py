"""An exported line as Cloud Logging keeps it."""

from tests.alerts.log_entry import Origin, entry


def test_a_json_line_becomes_the_payload_and_its_time_the_timestamp():
    made = entry('{"process_exit": {"status": 1}, "node_name": "n", "time": "2026-11-23T07:32:48.3Z"}\n')
    assert made["jsonPayload"] == {"process_exit": {"status": 1.0}, "node_name": "n"}
    assert isinstance(made["jsonPayload"]["process_exit"]["status"], float)
    assert made["timestamp"] == "2026-11-23T07:32:48.3Z"
    assert "textPayload" not in made


def test_any_other_line_becomes_text():
    for line in (b"tail: /var/run/x.log has been replaced;  following new file\n", "[1]", "null", ""):
        made = entry(line)
        assert made["textPayload"] == (line.decode() if isinstance(line, bytes) else line).rstrip("\n")
        assert "jsonPayload" not in made


def test_the_resource_is_the_container_that_printed_it():
    made = entry("x", Origin(cluster="c", pod="tetragon-1", node="n1", labels={"app.kubernetes.io/name": "tetragon"}))
    assert made["resource"]["type"] == "k8s_container"
    assert made["resource"]["labels"]["container_name"] == "export-stdout"
    assert made["resource"]["labels"]["cluster_name"] == "c"
    assert made["labels"] == {
        "compute.googleapis.com/resource_name": "n1",
        "k8s-pod/app_kubernetes_io/name": "tetragon",
    }
    assert made["logName"] == "projects/a-project/logs/stdout"
    assert made["severity"] == "INFO"
