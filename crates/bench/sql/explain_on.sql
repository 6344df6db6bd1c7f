-- Has the server's statements explained, with what they touched, in PostgreSQL's log.
alter role muster_app set session_preload_libraries = 'auto_explain';
alter role muster_app set auto_explain.log_min_duration = 0;
alter role muster_app set auto_explain.log_analyze = on;
alter role muster_app set auto_explain.log_timing = off;
alter role muster_app set auto_explain.log_buffers = on;
alter role muster_app set auto_explain.log_format = 'json';
