//! The oracle: what Debezium 3.7.0 wrote to Kafka for the same SQL (PostgreSQL 18), compared field by field.
//!
//! `tests/golden/<case>/` has `setup.sql`, run before the daemon starts; `workload.sql`, run while it streams;
//! `connector.properties`, what Debezium was told beside `base.properties`, if anything; and `golden.jsonl`, the records it
//! wrote. The daemon is told what `headwater import debezium` makes of the same. Everything must be equal but what
//! [`DEVIATIONS`] lists, with `events.quirks = "debezium"`; where that matters, the case runs without it too. Cases of SQL that
//! every version takes run on older ones as well: the records are the same.

mod compare;
mod script;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use headwater::import::{self, Request};

use crate::support::daemon::Builder;
use crate::support::{ConsumedRecord, DEADLINE, Db, Kafka, Postgres};
use compare::{Differences, Record};
use script::Step;

/// With which `events.quirks` records differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Differ {
    /// Whatever it is.
    Always,
    /// With `none` alone: `debezium` writes the same as Debezium.
    WithoutQuirks,
}
use Differ::{Always, WithoutQuirks};

/// Where Headwater's records are others on purpose: case, when, the places that differ (all of them and no others), why.
#[rustfmt::skip]
const DEVIATIONS: &[(&str, Differ, &[&str], &str)] = &[
    ("array_elements_modes", Always, &["public.a: value.after.t[]"],
        "as in arrays_multidim"),
    ("arrays", WithoutQuirks, &["public.arr: value.after.bt", "public.arr: value.after.e", "public.arr: value.after.lt", "public.arr_odd: value.after.tv"],
        "arrays of bits, and those of enums, ltree and tsvector with a NULL in them, are kept instead of null as a whole"),
    ("arrays_multidim", Always, &["public.md: value.after.t[]"],
        "rows of texts nest instead of being identities of Java objects"),
    ("arrays_multidim", WithoutQuirks, &["public.md: value.after.i[]", "public.md: value.after.lb[]", "public.md: value.after.n[]"],
        "arrays of several dimensions nest instead of being a null per row"),
    ("arrays_plain", WithoutQuirks, &["public.ap: value.after.b1", "public.ap: value.after.bt", "public.ap: value.after.n"],
        "arrays of bits, and names, are kept instead of null"),
    ("arrays_string_modes", WithoutQuirks, &["public.arr: value.after.bt", "public.arr: value.after.e", "public.arr: value.after.lt", "public.arr_odd: value.after.tv"],
        "as in arrays"),
    ("characters", WithoutQuirks, &["public.c: headers"],
        "control characters of a key are escaped in the header that holds it, as JSON wants"),
    ("column_lists_case", Always, &["public.Users: records"],
        "as in lists_anchors"),
    ("column_mask", WithoutQuirks, &["public.p: value.after.note"],
        "a text is cut between characters, not in the middle of one"),
    ("ddl_columns_types", Always, &["public.t: value.schema.fields[].fields[].items.parameters.allowed"],
        "the labels of an enum in an array are those of the time when the server described the table"),
    ("ddl_renames_filters", Always, &["public.keep_a: records", "transaction: value.data_collections", "transaction: value.event_count"],
        "a table that is renamed to what is not captured is not captured, instead of going on under its old name"),
    ("empty_tables", WithoutQuirks, &["public.nothing: records"],
        "a row without columns is a row that was inserted, not nothing"),
    ("empty_vs_null", WithoutQuirks, &["public.e: value.after.h", "public.e: value.before.h"],
        "an explicit NULL is null instead of the column's default"),
    ("hstore_map", WithoutQuirks, &["public.misc: value.after.h{}"],
        "hstore keeps the server's order of keys instead of a hash map's"),
    ("interval_numeric", WithoutQuirks, &["public.iv: value.after.i3"],
        "intervals are exact"),
    ("interval_string", WithoutQuirks, &["public.iv: value.after.i3"],
        "intervals are exact"),
    ("lists_anchors", Always, &["public.A: records", "transaction: value.data_collections", "transaction: value.event_count"],
        "a plain name in a list means the table of that name, in its case"),
    ("lists_exclude", Always, &["public.A: records", "transaction: value.data_collections", "transaction: value.event_count"],
        "as in lists_anchors"),
    ("masks_every_column_chars", Always, &["public.m: value.after.ci", "public.m: value.after.ip", "public.m: value.after.j", "public.m: value.after.jb", "public.m: value.after.l", "public.m: value.after.r", "public.m: value.after.tv", "public.m: value.after.u", "public.m: value.after.x", "public.m: value.before.ci", "public.m: value.before.ip", "public.m: value.before.j", "public.m: value.before.jb", "public.m: value.before.l", "public.m: value.before.r", "public.m: value.before.tv", "public.m: value.before.u", "public.m: value.before.x"],
        "every type that is written as its text is hidden, not texts alone"),
    ("masks_every_column_hash", Always, &["public.m: value.after.ci", "public.m: value.after.ip", "public.m: value.after.j", "public.m: value.after.jb", "public.m: value.after.l", "public.m: value.after.r", "public.m: value.after.tv", "public.m: value.after.u", "public.m: value.after.x"],
        "as in masks_every_column_chars"),
    ("masks_every_column_hash_v2", Always, &["public.m: value.after.ci", "public.m: value.after.ip", "public.m: value.after.j", "public.m: value.after.jb", "public.m: value.after.l", "public.m: value.after.r", "public.m: value.after.tv", "public.m: value.after.u", "public.m: value.after.x"],
        "as in masks_every_column_chars"),
    ("masks_every_column_truncate", Always, &["public.m: value.after.h", "public.m: value.after.tz"],
        "an hstore and a time are no texts, and not cut"),
    ("masks_snapshot_types", Always, &["public.m: value.after.ci", "public.m: value.after.j", "public.m: value.after.u", "public.m: value.after.x"],
        "as in masks_every_column_chars"),
    ("messages_only", Always, &["transaction: value.data_collections[].data_collection"],
        "as in messages_tx"),
    ("messages_schemas", Always, &["transaction: value.data_collections[].data_collection"],
        "as in messages_tx"),
    ("messages_tx", Always, &["transaction: value.data_collections[].data_collection"],
        "the collection of messages has a name instead of the identity of a Java object"),
    ("null_with_default", WithoutQuirks, &["public.d: value.after.b", "public.d: value.after.i", "public.d: value.after.n", "public.d: value.after.t", "public.d: value.before.b", "public.d: value.before.i", "public.d: value.before.n", "public.d: value.before.t"],
        "an explicit NULL is null instead of the column's default"),
    ("null_with_default_off", WithoutQuirks, &["public.d: value.source.snapshot"],
        "source.snapshot is \"false\" in every event, as in all other modes of Debezium"),
    ("numbers_double", WithoutQuirks, &["public.nums: value.after.r"],
        "floats are the shortest that read back, as Java prints them since 19"),
    ("numbers_json_numeric", WithoutQuirks, &["public.nums: value.after.r"],
        "floats are the shortest that read back, as Java prints them since 19"),
    ("numbers_json_numeric", WithoutQuirks, &["public.decs: value.after.neg", "public.decs: value.before.neg"],
        "numeric(p,-s) has scale 0 instead of 2046"),
    ("numbers_precise", WithoutQuirks, &["public.nums: value.after.r"],
        "floats are the shortest that read back, as Java prints them since 19"),
    ("numbers_precise", WithoutQuirks, &["public.decs: value.after.neg", "public.decs: value.before.neg"],
        "numeric(p,-s) has scale 0 instead of 2046"),
    ("numbers_string", WithoutQuirks, &["public.nums: value.after.r"],
        "floats are the shortest that read back, as Java prints them since 19"),
    ("numbers_string", WithoutQuirks, &["public.decs: value.after.neg", "public.decs: value.before.neg"],
        "numeric(p,-s) has scale 0 instead of 2046"),
    ("pg_output_settings", Always, &["public.z: value.after.f"],
        "extra_float_digits of the database does not cut digits off"),
    ("replica_index_with_pk", WithoutQuirks, &["public.expr: key", "public.t: records"],
        "a partial index is no key: rows beyond it would fall together; an update of the identity that leaves the primary key as it is is an update, not the deletion of a key made up"),
    ("schema_changes", WithoutQuirks, &["public.s: value.before.e"],
        "a column that is not known in the old row is null instead of the column's default"),
    ("schemas_arrays", WithoutQuirks, &["public.arr: value.after.bt", "public.arr: value.after.e", "public.arr: value.after.lt", "public.arr_odd: value.after.tv"],
        "as in arrays"),
    ("schemas_arrays", WithoutQuirks, &["public.arr: value.schema.fields[].fields[]{}", "public.arr: value.schema.fields[].fields[].type"],
        "arrays of bits are arrays in the schema too"),
    ("schemas_arrays", WithoutQuirks, &["public.arr: value.schema.fields[].fields[].items.optional", "public.arr_odd: value.schema.fields[].fields[].items.optional"],
        "elements may be NULL in the schema, as they may be in the array"),
    ("schemas_defaults", WithoutQuirks, &["public.d: value.after.b", "public.d: value.after.dt", "public.d: value.after.e", "public.d: value.after.i", "public.d: value.after.j", "public.d: value.after.n", "public.d: value.after.t", "public.d: value.after.tnow", "public.d: value.after.ts", "public.d: value.after.tsz", "public.d: value.after.u", "public.d: value.before.b", "public.d: value.before.bi", "public.d: value.before.bt", "public.d: value.before.c", "public.d: value.before.dt", "public.d: value.before.e", "public.d: value.before.fn", "public.d: value.before.i", "public.d: value.before.iv", "public.d: value.before.j", "public.d: value.before.n", "public.d: value.before.r", "public.d: value.before.sqd", "public.d: value.before.t", "public.d: value.before.tm", "public.d: value.before.tnow", "public.d: value.before.ts", "public.d: value.before.tsz", "public.d: value.before.u", "public.d: value.before.vc"],
        "an explicit NULL, and a column that is not known in the old row, is null instead of the column's default"),
    ("schemas_numbers", WithoutQuirks, &["public.nums: value.after.r"],
        "floats are the shortest that read back, as Java prints them since 19"),
    ("schemas_numbers", WithoutQuirks, &["public.decs: value.after.neg", "public.decs: value.before.neg", "public.decs: value.schema.fields[].fields[].parameters.connect.decimal.precision", "public.decs: value.schema.fields[].fields[].parameters.scale"],
        "numeric(p,-s) has scale 0 instead of 2046, and the precision that this needs"),
    ("schemas_snapshot_types", WithoutQuirks, &["public.t: value.after.d", "public.t: value.after.na"],
        "an infinite date is the same in a snapshot as it is in the stream, and names are kept"),
    ("schemas_types_misc", WithoutQuirks, &["public.misc: value.after.h"],
        "hstore keeps the server's order of keys instead of a hash map's"),
    ("shop_modes", Always, &["public.customer: value.after.email", "public.customer: value.before.email"],
        "as in masks_every_column_chars: it is a domain over citext"),
    ("skipped_all", Always, &["transaction: value.data_collections[].data_collection"],
        "as in messages_tx"),
    ("skipped_t_explicit", Always, &["transaction: records"],
        "truncates that are skipped by name begin a transaction as those that are skipped by default do"),
    ("snapshot_arrays", WithoutQuirks, &["public.arr: value.after.bt", "public.arr: value.after.e", "public.arr: value.after.lt", "public.arr_odd: value.after.tv"],
        "as in arrays"),
    ("snapshot_numbers", WithoutQuirks, &["public.nums: value.after.r"],
        "floats are the shortest that read back, as Java prints them since 19"),
    ("snapshot_numbers", WithoutQuirks, &["public.decs: value.after.neg"],
        "numeric(p,-s) has scale 0 instead of 2046"),
    ("snapshot_partitions", WithoutQuirks, &["public.ev: records", "public.ev_2023: value.source.snapshot", "public.li: records"],
        "rows of partitions are read once, under the name that the stream has for them"),
    ("snapshot_tables_kinds", Always, &["public.ul: records"],
        "a table that is not logged has no changes, and is not captured"),
    ("snapshot_times", WithoutQuirks, &["public.iv: value.after.i3"],
        "intervals are exact"),
    ("snapshot_toast", WithoutQuirks, &["public.t: value.after.n"],
        "an unchanged number is the placeholder instead of null"),
    ("snapshot_types", WithoutQuirks, &["public.misc: value.after.h"],
        "hstore keeps the server's order of keys instead of a hash map's"),
    ("snapshot_types_isostring", WithoutQuirks, &["public.t: value.after.d", "public.t: value.after.na", "public.t: value.after.ti"],
        "as in schemas_snapshot_types, and 24:00 is not 00:00"),
    ("texts", WithoutQuirks, &["public.texts: value.after.n"],
        "names are kept instead of null"),
    ("time_arrays", WithoutQuirks, &["public.a: value.after.d[]", "public.a: value.after.t[]", "public.a: value.after.ts[]"],
        "dates in arrays are those of one calendar, the infinite ones what they are by themselves, and times are whole"),
    ("time_arrays_connect", WithoutQuirks, &["public.a: value.after.d[]", "public.a: value.after.t[]", "public.a: value.after.ts[]"],
        "as in time_arrays"),
    ("time_arrays_isostring", WithoutQuirks, &["public.a: value.after.d[]", "public.a: value.after.t[]", "public.a: value.after.ts[]"],
        "as in time_arrays"),
    ("time_arrays_nanoseconds", WithoutQuirks, &["public.a: value.after.d[]", "public.a: value.after.t[]"],
        "as in time_arrays"),
    ("time_arrays_structured", WithoutQuirks, &["public.a: value.after.d[].year", "public.a: value.after.t[].hour", "public.a: value.after.t[].nanos", "public.a: value.after.ts[].day", "public.a: value.after.ts[].month", "public.a: value.after.ts[].year"],
        "as in time_arrays"),
    ("times_adaptive_far", WithoutQuirks, &["public.tms: value.after.ts"],
        "a timestamp beyond microseconds of 64 bits is null instead of a wrong number"),
    ("times_isostring", WithoutQuirks, &["public.tms: value.after.t", "public.tms: value.after.t0", "public.tms: value.after.t3", "public.tms: value.after.t6"],
        "24:00 is not 00:00"),
    ("times_isostring_far", WithoutQuirks, &["public.tms: value.after.d", "public.tms: value.after.ts", "public.tms: value.after.ts3"],
        "infinities keep their names instead of being a date"),
    ("times_special", WithoutQuirks, &["public.t: value.after.i"],
        "an infinite interval is an end of 64 bits, as an infinite timestamp is, instead of 0"),
    ("times_special_nanoseconds", WithoutQuirks, &["public.t: value.after.n"],
        "the range of nanoseconds is used to its end"),
    ("times_special_structured", WithoutQuirks, &["public.t: value.after.tm"],
        "24:00 is kept instead of null"),
    ("times_structured", WithoutQuirks, &["public.tms: value.after.t", "public.tms: value.after.t0", "public.tms: value.after.t3", "public.tms: value.after.t6"],
        "24:00 is kept instead of null"),
    ("toast_default", WithoutQuirks, &["public.t: value.after.n"],
        "an unchanged number is the placeholder instead of null"),
    ("toast_placeholder", WithoutQuirks, &["public.t: value.after.bin", "public.t: value.after.n"],
        "an unchanged value is the placeholder instead of null"),
    ("transactions_savepoints", Always, &["transaction: value.data_collections[].data_collection"],
        "as in messages_tx"),
    ("tx_statements", Always, &["transaction: value.data_collections[].data_collection"],
        "as in messages_tx"),
    ("types_misc", WithoutQuirks, &["public.misc: value.after.h"],
        "hstore keeps the server's order of keys instead of a hash map's"),
    ("types_system", WithoutQuirks, &["public.t: value.after.f", "public.t: value.after.g"],
        "vectors keep their elements"),
    ("types_unknown_included", WithoutQuirks, &["public.misc: value.after.h"],
        "hstore keeps the server's order of keys instead of a hash map's"),
    ("unwrap", WithoutQuirks, &["public.customers: value"],
        "a delete without a value is a tombstone instead of the text null"),
    ("unwrap_events", Always, &["transaction: value.data_collections[].data_collection"],
        "as in messages_tx"),
    ("unwrap_events_schemas", Always, &["transaction: value.data_collections[].data_collection"],
        "as in messages_tx"),
    ("unwrap_fields_snapshot", WithoutQuirks, &["public.customers: headers", "public.customers: value.__snapshot", "public.full_row: headers", "public.full_row: value.__snapshot"],
        "source.snapshot of the stream is \"false\" here too, instead of null"),
    ("unwrap_fields_snapshot", WithoutQuirks, &["public.customers: value.email"],
        "an explicit NULL, and a column that is not known in the old row, is null instead of the column's default"),
    ("unwrap_messages_null", Always, &["message: value.source.snapshot"],
        "one key has what converter and transformation do with a NULL; the transformation does it to rows alone"),
    ("unwrap_rewrite_tombstones", WithoutQuirks, &["public.customers: headers", "public.full_row: headers"],
        "a tombstone has its delete's headers once"),
    ("unwrap_rewrite_tombstones", WithoutQuirks, &["public.customers: value.email"],
        "an explicit NULL, and a column that is not known in the old row, is null instead of the column's default"),
    ("unwrap_tombstone_schemas", WithoutQuirks, &["public.customers: value.email"],
        "an explicit NULL is null instead of the column's default"),
    ("unwrap_tombstone_schemas", WithoutQuirks, &["public.customers: value.schema", "public.full_row: value.schema"],
        "a delete without a value is a tombstone instead of a schema with a null"),
];

macro_rules! cases {
    ($($case:ident)+) => {
        $(#[test]
        fn $case() {
            check(stringify!($case));
        })+

        const CASES: &[&str] = &[$(stringify!($case)),+];
    };
}

cases! {
    alter_replica alter_types array_dimensions array_elements array_elements_modes arrays arrays_multidim
    arrays_plain arrays_string_modes avro_names binary_base64 binary_base64_url binary_bytes binary_hex bits
    bits_snapshot bulk characters column_exclude column_include column_include_no_key column_lists_case
    column_lists_partial column_mask column_mask_schemas column_mask_v2 columns_include_keys columns_none
    columns_schemas columns_skip_unchanged crud database_settings database_settings_escape dates_far_adaptive
    dates_far_connect dates_far_isostring dates_far_nanoseconds dates_far_structured ddl_columns_types
    ddl_enum ddl_in_transactions ddl_keys ddl_recreate ddl_renames_filters ddl_tables decimal_format_schemas
    defaults_constants defaults_constants_connect defaults_constants_modes defaults_constants_nanoseconds
    defaults_constants_propagated defaults_constants_structured defaults_not_null defaults_not_null_isostring
    delete_fillers_defaults_mix domains domains_deep domains_deep_modes domains_snapshot drop_add_toast
    empty_tables empty_vs_null encoding_euc_jp encoding_latin1 encoding_win1252 extensions_keys
    extensions_unknown fillers_adaptive fillers_connect fillers_isostring fillers_structured
    filtered_publication generated generated_columns generated_published geometry_special headers_keys
    headers_keys_numeric heartbeat heartbeat_named hstore_map hstores hstores_map hstores_snapshot identifiers
    identifiers_avro inheritance interval_numeric interval_string intervals intervals_string
    intervals_structured json_texts key_change key_change_tx key_types keys_char_name keys_char_name_plain
    keys_composite keys_equal_forms keys_equal_forms_full keys_of_types keys_of_types_connect
    keys_of_types_modes_schemas keys_of_types_schemas keys_toast large_values lists_anchors lists_exclude
    lists_partition_filtered lists_partition_leaf lists_partition_root lists_partition_via_root lists_regex
    lists_schema_include lists_schema_regex masks_and_source_types masks_every_column_chars
    masks_every_column_hash masks_every_column_hash_v2 masks_every_column_truncate masks_regex
    masks_snapshot_types masks_with_schemas message_key_columns message_keys_one_for_all message_keys_regex
    message_keys_several messages messages_excluded messages_filtered messages_modes_base64 messages_only
    messages_schemas messages_tx money_digits money_digits_double money_digits_precise names_avro_schemas
    names_avro_unicode names_odd names_odd_avro_unicode names_odd_lists names_odd_snapshot no_keys_full
    no_primary_key not_null_modes not_null_zero notifications notifications_empty notifications_no_data
    notifications_only notifications_schemas notifications_subset null_default_off_schemas
    null_default_off_types null_with_default null_with_default_off numbers_arrays numbers_arrays_double
    numbers_arrays_special numbers_arrays_string numbers_double numbers_extremes numbers_extremes_double
    numbers_extremes_numeric numbers_extremes_string numbers_json_numeric numbers_precise
    numbers_special_precise numbers_string numbers_types_double numeric_keys objects order_shop origin
    partitions_attach partitions_attach_root partitions_changes partitions_columns partitions_leaf
    partitions_root partitions_root_filtered partitions_snapshot_root pg_output_settings pg_timezone_newyork
    pgvector placeholder_types postgis propagate_by_types propagate_modes publication_disabled
    publication_filtered_changes publication_filters ranges ranges_modes replica_autoset_several replica_full
    replica_full_types replica_identity_autoset replica_index_beside_key replica_index_defaults
    replica_index_types replica_index_types_schemas replica_index_with_pk root_partitions_schemas
    schema_changes schema_exclude schema_refresh_mode schemas_arrays schemas_binary schemas_changes
    schemas_crud schemas_defaults schemas_defaults_expressions schemas_defaults_types schemas_extensions
    schemas_hstore_map schemas_key_change schemas_keys schemas_messages schemas_not_null schemas_numbers
    schemas_numbers_string schemas_numbers_types schemas_pgvector schemas_postgis schemas_snapshot
    schemas_snapshot_types schemas_times schemas_times_adaptive schemas_times_adaptive_time_microseconds
    schemas_times_connect schemas_times_isostring schemas_times_microseconds schemas_times_nanoseconds
    schemas_times_structured schemas_toast_arrays schemas_tx schemas_types schemas_types_misc shop_modes
    shop_snapshot skip_unchanged skip_unchanged_columns skip_unchanged_masks skip_unchanged_schemas
    skipped_all skipped_cu skipped_cud skipped_deletes skipped_ops skipped_t_explicit skipped_td
    skipped_updates snapshot_all_types snapshot_all_types_connect snapshot_all_types_isostring
    snapshot_all_types_schemas snapshot_all_types_structured snapshot_always snapshot_always_tables
    snapshot_array_elements snapshot_arrays snapshot_arrays_dimensions snapshot_by_row_count
    snapshot_by_row_count_down snapshot_dates_far snapshot_dates_far_connect snapshot_dates_far_isostring
    snapshot_dates_far_structured snapshot_defaults snapshot_defaults_connect snapshot_empty
    snapshot_extensions snapshot_first_empty snapshot_generated_key snapshot_generated_masks snapshot_initial
    snapshot_initial_tx snapshot_json snapshot_keys_columns snapshot_list_order snapshot_masks
    snapshot_names_unknown snapshot_numbers snapshot_numbers_extremes snapshot_numbers_extremes_double
    snapshot_numbers_extremes_string snapshot_only snapshot_override snapshot_overrides_joins
    snapshot_partitions snapshot_partitions_types snapshot_postgis snapshot_ranges snapshot_schemas_misc
    snapshot_subset snapshot_subset_schemas snapshot_tables_kinds snapshot_text_binary snapshot_threads_tx
    snapshot_times snapshot_toast snapshot_types snapshot_types_isostring snapshot_types_structured
    source_type_propagated source_types source_types_by_type source_types_serial statements
    stream_every_kind_tx table_filters texts time_arrays time_arrays_connect time_arrays_isostring
    time_arrays_nanoseconds time_arrays_structured times_adaptive times_adaptive_far
    times_adaptive_time_microseconds times_connect times_connect_far times_interval_string times_isostring
    times_isostring_far times_microseconds times_nanoseconds times_special times_special_nanoseconds
    times_special_structured times_structured toast_arrays toast_arrays_modes toast_connect toast_default
    toast_full toast_full_types toast_isostring toast_keys_masks toast_nanoseconds toast_placeholder
    toast_schemas toast_structured toast_types tombstones_off tombstones_off_schemas topic_delimiter topics
    transactions_savepoints truncate truncate_skipped truncates tx_metadata tx_plain tx_prepared tx_statements
    tx_tables_order tx_topic_name types_ext types_in_one_schemas_false_key types_misc types_mixed_shop
    types_mixed_shop_iso types_mixed_shop_plain types_mixed_shop_snapshot types_system types_unknown_included
    unique_keys_names unknown_types unknown_types_hex unwrap unwrap_before_after unwrap_before_after_schemas
    unwrap_column_lists unwrap_columns unwrap_columns_modes unwrap_columns_schemas unwrap_delete_to_tombstone
    unwrap_delete_to_tombstone_schemas unwrap_drop unwrap_drop_fields unwrap_events unwrap_events_schemas
    unwrap_fields unwrap_fields_no_transaction unwrap_fields_schemas unwrap_fields_snapshot unwrap_keys
    unwrap_keys_rewrite_schemas unwrap_messages_null unwrap_names unwrap_names_adjusted
    unwrap_null_with_default unwrap_null_with_default_honest unwrap_null_with_default_off
    unwrap_null_with_default_tombstone unwrap_partitions unwrap_rewrite unwrap_rewrite_schemas
    unwrap_rewrite_tombstones unwrap_schema_changes unwrap_snapshot unwrap_toast unwrap_toast_full
    unwrap_tombstone_schemas unwrap_tombstones_off unwrap_types_schemas unwrap_value_schemas wide_table
}

#[test]
fn every_case_has_its_test_and_every_deviation_its_case() {
    let cases: BTreeSet<&str> = CASES.iter().copied().collect();
    let folders = fs::read_dir(folder("")).unwrap().filter_map(Result::ok);
    let folders = folders.filter(|entry| entry.path().is_dir());
    let folders: BTreeSet<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(folders.iter().map(String::as_str).eq(cases.iter().copied()), "{folders:?}");
    assert!(DEVIATIONS.iter().all(|(case, ..)| cases.contains(case)));
}

/// Leaves a line about a case that has passed in the directory that `scripts/oracle` names, for its report.
fn report(case: &str) {
    let Some(directory) = std::env::var_os("HEADWATER_ORACLE_REPORT") else { return };
    let listed = DEVIATIONS.iter().filter(|(name, differ, ..)| *name == case && *differ == Always);
    let listed: Vec<_> = listed.map(|(_, _, places, why)| format!("{} ({why})", places.join(", "))).collect();
    let line = match listed.as_slice() {
        [] => "equal\t\n".to_owned(),
        listed => format!("equal but for\t{}\n", listed.join("; ")),
    };
    fs::write(Path::new(&directory).join(case), line).unwrap();
}

#[test]
fn cases_that_are_not_run_say_why() {
    for (case, why) in NOT_RUN {
        assert!(!CASES.contains(case) && !why.is_empty(), "{case}");
        if let Some(directory) = std::env::var_os("HEADWATER_ORACLE_REPORT") {
            fs::write(Path::new(&directory).join(case), format!("not run\tneeds {why}\n")).unwrap();
        }
    }
}

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(case)
}

/// Cases of the oracle that are not run, and what they need.
#[rustfmt::skip]
const NOT_RUN: &[(&str, &str)] = &[
    ("incremental_snapshot", "incremental snapshots"),
];

/// Every case with Debezium's quirks; those that they change without them too.
#[track_caller]
fn check(case: &str) {
    compare_with(case, (18, "debezium"), |differ| differ == Always);
    report(case);
    if DEVIATIONS.iter().any(|(name, differ, ..)| *name == case && *differ == WithoutQuirks) {
        compare_with(case, (18, "none"), |_| true);
    }
}

macro_rules! versions {
    ($($test:ident $version:literal)+) => {
        $(#[test]
        fn $test() {
            for case in PORTABLE {
                compare_with(case, ($version, "debezium"), |differ| differ == Always);
            }
        })+
    };
}

versions! {
    postgres_10 10
    postgres_12 12
    postgres_14 14
    postgres_15 15
    postgres_16 16
    postgres_17 17
}

/// Cases whose SQL every version takes: the server's version changes nothing in the records.
const PORTABLE: &[&str] = &[
    "crud",
    "key_change",
    "key_types",
    "no_primary_key",
    "replica_full",
    "schema_changes",
    "toast_default",
    "tx_metadata",
];

#[track_caller]
fn compare_with(case: &str, (version, quirks): (u32, &str), counts: impl Fn(Differ) -> bool) {
    let differences = differences(&folder(case), version, quirks);
    let listed = DEVIATIONS.iter().filter(|(name, differ, ..)| *name == case && counts(*differ));
    let deviations: BTreeSet<&str> = listed.flat_map(|(_, _, places, _)| places.iter().copied()).collect();
    let unexpected: Vec<_> =
        differences.iter().filter(|(place, _)| !deviations.contains(place.as_str())).collect();
    assert!(
        unexpected.is_empty(),
        "{case} on {version} with events.quirks = {quirks:?} differs (golden is ours):\n{unexpected:#?}"
    );
    for place in deviations {
        assert!(
            differences.contains_key(place),
            "{case} with events.quirks = {quirks:?} is equal at {place}: take it from the list"
        );
    }
}

/// Runs the case of a folder through the daemon.
fn differences(folder: &Path, version: u32, quirks: &str) -> Differences {
    let read = |name| fs::read_to_string(folder.join(name)).unwrap();
    // The second run has other topics; what holds the name is called the same.
    let case = folder.file_name().unwrap().to_str().unwrap();
    let other = if version == 18 { String::new() } else { format!("_on_{version}") };
    let name = format!("orc_{case}{}{other}", if quirks == "none" { "_honest" } else { "" });
    let (server, kafka) = (Postgres::shared(version), Kafka::shared());
    let setup = read("setup.sql");
    let options =
        setup.lines().next().and_then(|line| line.strip_prefix("-- database: ")).unwrap_or_default();
    server.session("postgres").exec(&format!("create database {name} {options}"));
    let db = Db::new(name.clone(), server.port());
    let properties = fs::read_to_string(folder.join("connector.properties")).unwrap_or_default();
    let builder = configured(&db, kafka, &properties).set("events.quirks", quirks);
    run(&db, "", &setup);
    let mut daemon = if properties.contains("snapshot.mode=initial_only") {
        let mut daemon = builder.spawn();
        assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(0), "{}", daemon.log());
        daemon
    } else {
        let daemon = builder.start();
        run(&db, &name, &read("workload.sql"));
        db.wait_confirmed(&name);
        daemon
    };
    let mut consumer = kafka.consumer(&name);
    // Another case's name may begin with this one's.
    let own = |record: &&ConsumedRecord| record.topic[name.len()..].starts_with(['.', '-']);
    let mut ours: Vec<Record> = consumer.read_to_end().iter().filter(own).map(record).collect();
    let golden = read("golden.jsonl").replace(&format!("orc_{case}"), &name);
    let golden: Vec<Record> = golden.lines().map(Record::golden).collect();
    // Their topic alone does not begin with the name.
    if let Some(heartbeat) = golden.iter().find(|record| !record.topic.starts_with(&name)) {
        daemon.wait_metric("headwater_heartbeats_total", |count| count >= 2.0);
        let mut heartbeats = kafka.consumer(&heartbeat.topic);
        ours.extend(heartbeats.read_to_end().iter().map(record));
    }
    let [golden, ours] = [golden, ours].map(compare::without_repeats);
    if golden.len() != ours.len() {
        // Shown when the test fails: was too little written, or too little read?
        let mut all = kafka.uncommitted_consumer(&name);
        eprintln!("{name}: read {}", offsets(consumer.records()));
        eprintln!("{name}: there with what is not committed {}", offsets(all.read_to_end()));
        eprintln!("{}", daemon.log());
    }
    drop(daemon);
    compare::compare(&format!("{name}."), &golden, &ours)
}

fn offsets(records: &[ConsumedRecord]) -> String {
    let place = |record: &ConsumedRecord| format!("{} {} {}", record.topic, record.offset, record.op());
    records.iter().map(place).collect::<Vec<_>>().join(", ")
}

/// What `headwater import debezium` makes of what Debezium was told.
fn configured(db: &Db, kafka: &Kafka, properties: &str) -> Builder {
    let port = db.port().to_string();
    let fill = [
        ("@HOST@", "127.0.0.1"),
        ("@PORT@", port.as_str()),
        ("@USER@", "postgres"),
        ("@PASSWORD@", "unused"),
        ("@NAME@", db.name()),
    ];
    // Connect was given the values over REST, where a backslash is a backslash.
    let text = format!("{}{}", include_str!("golden/base.properties"), properties.replace('\\', "\\\\"));
    let text = fill.iter().fold(text, |text, (mark, value)| text.replace(mark, value));
    let brokers = [kafka.brokers()];
    let request =
        Request { origin: "connector.properties", text: &text, brokers: &brokers, ..Request::default() };
    let imported = import::debezium(&request).unwrap();
    Builder::new(db.name())
        .imported(&imported.text)
        .set("checkpoint.topic", format!("__{}_checkpoints", db.name()))
        .set("checkpoint.interval", "1ms")
        .set("retry.initial", "50ms")
        .set("retry.max", "1s")
        .allow_log("the column is left out")
        .allow_log("no place in the chosen form")
        .allow_log("they are not hidden")
}

fn run(db: &Db, slot: &str, script: &str) {
    let session = db.connect();
    let mut may_fail = false;
    for step in script::steps(script) {
        match step {
            Step::Statement(statement) if may_fail => drop(session.try_exec(&statement)),
            Step::Statement(statement) => session.exec(&statement),
            Step::Settle => db.wait_confirmed(slot),
            Step::MayFail(may) => may_fail = may,
        }
    }
}

fn record(record: &ConsumedRecord) -> Record {
    let text = |bytes: &Option<Vec<u8>>| match bytes.as_deref() {
        None => "null".to_owned(),
        // As golden files have it.
        Some(b"null") => r#"{"$literal":"null"}"#.to_owned(),
        Some(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
    };
    Record::new(&record.topic, &text(&record.key), &text(&record.value), record.headers.clone())
}
