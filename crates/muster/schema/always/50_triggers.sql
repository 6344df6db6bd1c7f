-- The triggers, all per statement. Replaced as a whole at each migrate.

create or replace trigger trigger_account_inserted after insert on accounts
    referencing new table as new_rows for each statement execute function accounts_inserted();
create or replace trigger trigger_account_state_history after update on accounts
    referencing old table as old_rows new table as new_rows for each statement execute function accounts_updated();
create or replace trigger trigger_account_deleted after delete on accounts
    referencing old table as old_rows for each statement execute function accounts_deleted();
create or replace trigger trigger_history_legal after insert on account_state_history
    referencing new table as new_rows for each statement execute function history_inserted();
create or replace trigger trigger_model_updated after update on models
    referencing old table as old_rows new table as new_rows for each statement execute function models_updated();
create or replace trigger trigger_proxy_updated after update on proxies
    referencing old table as old_rows new table as new_rows for each statement execute function proxies_updated();
create or replace trigger trigger_content_filled after insert on model_content
    referencing new table as new_rows for each statement execute function pool_filled();
create or replace trigger trigger_content_changed after update on model_content
    referencing old table as old_rows new table as new_rows for each statement execute function pool_changed();
create or replace trigger trigger_content_leaves_picture after delete on model_content
    referencing old table as old_rows for each statement execute function pictures_left();
create or replace trigger trigger_content_changes_picture after update on model_content
    referencing old table as old_rows new table as new_rows for each statement execute function pictures_left();
create or replace trigger trigger_text_filled after insert on text_pools
    referencing new table as new_rows for each statement execute function pool_filled();
create or replace trigger trigger_text_changed after update on text_pools
    referencing old table as old_rows new table as new_rows for each statement execute function pool_changed();

-- What comes and what goes is counted: an update is both. The transition table is called the same in each.
create or replace trigger trigger_content_counted after insert on model_content
    referencing new table as counted_rows for each statement execute function pools_counted('+1');
create or replace trigger trigger_content_counted_anew after update on model_content
    referencing new table as counted_rows for each statement execute function pools_counted('+1');
create or replace trigger trigger_content_uncounted_anew after update on model_content
    referencing old table as counted_rows for each statement execute function pools_counted('-1');
create or replace trigger trigger_content_uncounted after delete on model_content
    referencing old table as counted_rows for each statement execute function pools_counted('-1');
create or replace trigger trigger_text_counted after insert on text_pools
    referencing new table as counted_rows for each statement execute function pools_counted('+1');
create or replace trigger trigger_text_counted_anew after update on text_pools
    referencing new table as counted_rows for each statement execute function pools_counted('+1');
create or replace trigger trigger_text_uncounted_anew after update on text_pools
    referencing old table as counted_rows for each statement execute function pools_counted('-1');
create or replace trigger trigger_text_uncounted after delete on text_pools
    referencing old table as counted_rows for each statement execute function pools_counted('-1');
create or replace trigger trigger_proxy_counted after insert on proxies
    referencing new table as counted_rows for each statement execute function proxies_counted('+1');
create or replace trigger trigger_proxy_counted_anew after update on proxies
    referencing new table as counted_rows for each statement execute function proxies_counted('+1');
create or replace trigger trigger_proxy_uncounted_anew after update on proxies
    referencing old table as counted_rows for each statement execute function proxies_counted('-1');
create or replace trigger trigger_proxy_uncounted after delete on proxies
    referencing old table as counted_rows for each statement execute function proxies_counted('-1');

-- What comes, goes or changes in pools can be there twice, or no longer.
create or replace trigger trigger_content_noted after insert on model_content
    referencing new table as noted_rows for each statement execute function fingerprints_noted();
create or replace trigger trigger_content_noted_anew after update on model_content
    referencing old table as old_rows new table as new_rows for each statement execute function fingerprints_changed();
create or replace trigger trigger_content_noted_gone after delete on model_content
    referencing old table as noted_rows for each statement execute function fingerprints_noted();
create or replace trigger trigger_text_noted after insert on text_pools
    referencing new table as noted_rows for each statement execute function fingerprints_noted();
create or replace trigger trigger_text_noted_anew after update on text_pools
    referencing old table as old_rows new table as new_rows for each statement execute function fingerprints_changed();
create or replace trigger trigger_text_noted_gone after delete on text_pools
    referencing old table as noted_rows for each statement execute function fingerprints_noted();
