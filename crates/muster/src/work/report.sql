-- Takes reports of all of these reporters on leased steps; says of each item, by its number from 1, what became of it.
select item as "item!", verdict as "verdict!: muster_wire::work::Verdict", outcome as "outcome: muster_wire::work::Outcome"
from report_steps(
    muster_act_as($1, $16, $17, $18, $19), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
