"""Every way in which a network, a server, a caller or a machine can fail, and what shows that it is borne.

A fault of the kit (`ipfs_accel.testing.FAULTS`) is tried in `test_faults` in every world, whole and streamed, with and
without retries, and by every backend's contract. What the kit cannot have is tried by the tests that are named here.
"""

from __future__ import annotations

import ast
import functools
import itertools
from pathlib import Path

import attrs
import pytest
from ipfs_accel.testing import FAULTS

TESTS = Path(__file__).parent


@attrs.frozen
class Row:
    """One way to fail.

    Attributes:
        what: What goes wrong.
        kit: Names of faults of the kit.
        tests: Modules of this folder to names of tests in them.
    """

    what: str
    kit: tuple[str, ...] = ()
    tests: dict[str, tuple[str, ...]] = attrs.field(factory=dict)


def row(what: str, *kit: str, **tests: str) -> Row:
    """Make a row; tests are named as module="one two", a folder joined by two underscores."""
    return Row(what, kit, {name.replace("__", "/"): tuple(names.split()) for name, names in tests.items()})


ROWS = (
    row("the connection is refused", "refused", test_http="test_connection_refused"),
    row(
        "the host's name cannot be resolved, now or ever, or not in time",
        "unknown_host",
        test_faults_on_the_way="test_a_name_that_does_not_exist_is_looked_up_once "
        "test_a_resolver_that_has_no_answer_now_is_asked_again "
        "test_a_resolver_that_stalls_is_bounded_by_the_connect_limit",
    ),
    row("nothing answers to connecting", "blackhole", test_http="test_a_connection_that_never_comes"),
    row(
        "a kept connection was closed by the server",
        "stale_connection",
        test_http="test_the_server_closed_the_idle_connection test_no_second_repetition",
    ),
    row("the connection ends within the head", "reset_before_head", "cut_in_head", "reset_in_head"),
    row("the connection is reset within the body", "reset_in_body"),
    row(
        "a chunked body is cut",
        "cut_chunks",
        test_faults_on_the_way="test_chunked_answers_are_whole_or_none",
    ),
    row("the body is shorter or longer than it said", "short_body", "long_body"),
    row("a chunk's size is no number, or its extension has no end", "bad_chunk_size", "huge_chunk_extension"),
    row("silence before or after the head", "silence_before_head", "silence_after_head"),
    row("silence between two events", "stall"),
    row("only heartbeats come", "heartbeats", "heartbeats_later"),
    row("the answer trickles", "byte_by_byte"),
    row(
        "the server does not read the request",
        test_faults_on_the_way="test_a_server_that_does_not_read",
        test_http="test_a_server_that_does_not_read",
    ),
    row(
        "the answer comes while the request is still being sent",
        "early_refusal",
        test_faults_on_the_way="test_an_answer_before_the_request_was_read",
        test_http="test_an_early_answer_is_the_answer",
    ),
    row(
        "bytes that are no UTF-8",
        "invalid_utf8",
        wire__test_sse="test_bytes_that_are_not_utf8_are_an_error_at_their_place",
        wire__test_ndjson="test_bytes_that_are_not_utf8_are_an_error_at_their_place",
    ),
    row(
        "a character is cut in two by the network",
        wire__test_sse="test_every_split_in_two_gives_what_the_reference_gives "
        "test_every_split_in_many_gives_what_the_reference_gives",
        wire__test_ndjson="test_every_split_gives_what_the_reference_gives",
    ),
    row(
        "characters that are line breaks to some and not to others",
        wire__test_sse="test_the_grammar",
        wire__test_ndjson="test_lines",
        wire__test_openai_streams="test_texts",
    ),
    row(
        "CRLF is cut in two, CR stands alone, a mark of byte order comes first, the last line has no end",
        wire__test_sse="test_the_grammar test_every_split_in_two_gives_what_the_reference_gives",
    ),
    row("fields of events that are rare or unknown", wire__test_sse="test_the_other_fields test_the_grammar"),
    row(
        "a line without end",
        "huge_line",
        wire__test_sse="test_events_are_bounded test_memory_stays_bounded_when_a_line_never_ends",
        wire__test_ndjson="test_lines_are_bounded",
    ),
    row(
        "a long line in tiny pieces",
        wire__test_sse="test_the_work_is_linear_in_the_bytes_however_small_the_chunks",
    ),
    row(
        "a stream without end",
        "endless",
        test_storms="test_a_stream_that_is_kept_is_bounded",
    ),
    row("a stream ends without its last signal", "no_terminal"),
    row(
        "something comes after the last signal, or it comes twice",
        "after_the_end",
        test_streams="test_what_comes_after_the_terminal_signal_is_ignored_and_the_connection_serves_again",
        wire__test_openai_streams="test_texts",
    ),
    row(
        "an error comes as an event of a good stream",
        test_errors_in_streams="test_before_the_first_event_it_is_tried_again "
        "test_after_the_first_event_it_is_told_with_what_came",
        wire__test_openai_streams="test_an_error_in_the_stream_is_raised_although_done_follows",
    ),
    row(
        "a success without an answer in it",
        "empty_body",
        "null",
        test_faults_on_the_way="test_json_that_is_not_the_answer",
        wire__test_openai_answers="test_an_error_in_a_success test_an_answer_of_another_form_is_named",
    ),
    row("a page of HTML instead of an answer", "html"),
    row(
        "JSON that is deep, large, or says things that JSON cannot say",
        "deep_json",
        "nan",
        test_faults_on_the_way="test_json_that_is_not_the_answer test_the_last_of_two_equal_names_counts",
        test_json="test_what_is_not_json_is_refused test_extremes",
    ),
    row(
        "compressed bytes that become very many",
        "gzip_bomb",
        test_http="test_a_bomb_does_not_fill_the_memory",
    ),
    row(
        "encodings that are stacked, unknown or corrupt",
        "stacked_encodings",
        "corrupt_gzip",
        test_http="test_bad_compression",
    ),
    row(
        "a redirect",
        "redirect",
        test_faults_on_the_way="test_no_redirect_is_followed_wherever_it_leads "
        "test_a_redirect_in_a_circle_is_one_request",
    ),
    row(
        "a rate limit with a hint of any form",
        test_attempts="test_hints_of_every_form test_a_server_that_asks_for_too_much_patience_is_not_waited_for",
        test_hints="test_how_long_to_wait",
    ),
    row(
        "a hundred callers meet a rate limit without a hint",
        test_storms="test_callers_who_are_turned_away_do_not_come_back_together test_what_all_retries_cost_is_bounded",
    ),
    row(
        "a rate limit that means that the money is gone",
        test_storms="test_a_quota_that_is_used_up_is_not_waited_for",
        resilience__test_key_pools="test_a_refused_key_is_out_until_reload",
    ),
    row(
        "an outage of a minute",
        test_storms="test_an_outage_costs_a_server_little_and_ends_by_itself",
        resilience__test_breakers="test_one_probe_at_a_time_and_two_successes_close_it",
    ),
    row(
        "clocks that differ, or are set while a call runs",
        test_storms="test_a_clock_that_is_set_changes_nothing",
        test_hints="test_how_long_to_wait",
    ),
    row(
        "a proxy that fails, refuses, or drops connections",
        test_faults_on_the_way="test_a_proxy_that_answers_for_the_server test_a_proxy_that_gives_no_tunnel "
        "test_a_proxy_that_drops_idle_connections",
    ),
    row(
        "TLS that cannot be trusted, is too old, or is cut",
        test_faults_on_the_way="test_a_certificate_that_has_expired test_a_certificate_for_another_host "
        "test_a_certificate_of_nobody test_a_protocol_that_is_too_old test_an_end_that_tls_does_not_know_of",
    ),
    row(
        "a server that speaks HTTP/2",
        test_faults_on_the_way="test_only_http_1_is_offered test_a_server_that_speaks_http_2_unasked",
    ),
    row(
        "all connections are in use",
        test_storms="test_slow_streams_that_hold_all_connections",
        test_http_pool="test_the_wait_for_a_connection_has_a_limit",
    ),
    row(
        "a caller stops reading",
        test_client="test_a_dropped_stream_warns_and_gives_its_connection_back",
        test_limits="test_a_stream_that_is_left_or_dropped_gives_its_place_back",
    ),
    row(
        "a call is cancelled, at any moment, also twice",
        test_http_pool="test_cancellation_on_asyncio test_cancel_scopes test_cancellation_between_two_chunks",
        test_limits="test_a_storm_of_cancellations_leaves_nothing_behind",
        test_leaks="test_a_call_that_is_cancelled_leaves_nothing_behind",
    ),
    row(
        "Ctrl-C",
        test_http_pool="test_an_interrupt_closes_the_connection",
        test_leaks="test_an_interrupt_leaves_nothing_behind",
        cli__test_process="test_ctrl_c_keeps_what_came_and_exits_130",
    ),
    row(
        "the interpreter ends in the middle",
        test_leaks="test_a_program_that_ends_in_the_middle_ends_in_silence",
    ),
    row(
        "a client is used from another loop, from many threads, or after its end",
        test_http_pool="test_another_loop_is_refused test_many_threads test_closing",
        test_limits="test_limits_meet_a_second_loop_with_a_clear_error",
        test_client="test_a_closed_client_says_so",
    ),
    row(
        "a process forks",
        test_http_pool="test_a_forked_child_does_not_use_the_parents_connections",
        test_limits="test_a_forked_child_starts_anew",
    ),
    row(
        "a header that no header may be",
        test_http="test_bad_headers",
        test_endpoints="test_bad_headers_are_refused_without_showing_the_value",
    ),
    row(
        "a file's name that would be a header",
        test_media_calls="test_no_name_breaks_out_of_a_form test_no_media_type_breaks_out_of_a_form",
    ),
    row(
        "a model's name that would be another path",
        wire__test_openai_plugin="test_a_model_that_would_leave_its_path",
        test_http="test_bad_urls",
    ),
    row(
        "an answer that was meant for another request",
        test_http="test_bytes_that_come_after_the_answer test_more_than_the_content_length",
    ),
    row(
        "a cache that is full, damaged, or cannot be written",
        test_cached="test_a_cache_that_cannot_be_written_fails_no_call",
        resilience__test_answer_store="test_a_damaged_entry_is_a_miss test_a_full_disk_is_a_miss_that_is_told_once "
        "test_a_file_that_is_no_database_is_a_miss_that_is_told_once",
    ),
    row(
        "a plugin that is broken, or whose name another one has",
        test_registry="test_a_bad_plugin_is_a_state_with_a_reason_and_touches_no_other "
        "test_two_distributions_of_one_name_are_both_named_and_neither_loads",
    ),
)


@functools.cache
def names_in(module: str) -> frozenset[str]:
    """Return the names of the tests of a module."""
    tree = ast.parse((TESTS / f"{module}.py").read_text())
    found = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(name for name in found if name.startswith("test_"))


@pytest.mark.parametrize("each", ROWS, ids=lambda each: each.what)
def test_every_fault_has_something_that_shows_it(each: Row) -> None:
    assert each.kit or each.tests
    assert set(each.kit) <= set(FAULTS)
    for module, names in each.tests.items():
        assert set(names) <= names_in(module), module


def test_every_fault_of_the_kit_is_in_the_table() -> None:
    listed = list(itertools.chain.from_iterable(each.kit for each in ROWS))
    assert sorted(listed) == sorted(FAULTS)
    assert len(ROWS) == 53
