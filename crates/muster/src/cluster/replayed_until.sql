-- When the last transaction that recovery replayed was committed; none when recovery met no commit.
select pg_catalog.pg_last_xact_replay_timestamp()
