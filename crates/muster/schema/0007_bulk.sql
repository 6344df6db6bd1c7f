-- What imports look for by key they remember while they read: the index cost as much as the rows.
drop index import_rows_key;
