//! Assignment: pairs rows with distinct columns so that the sum of scores is as large as it can be.

/// Cells of one table of scores. Each costs a comparison of two subtrees.
pub(super) const MAX_CELLS: usize = 200_000;
/// Steps of one assignment (rows² × columns): well below a second.
pub(super) const MAX_STEPS: usize = 50_000_000;

/// Whether a table of this size is within the limits.
pub(super) fn affordable(rows: usize, columns: usize) -> bool {
    let wide = columns.max(rows);
    rows.saturating_mul(columns) <= MAX_CELLS && rows.saturating_mul(rows).saturating_mul(wide) <= MAX_STEPS
}

/// The column of each row, so that the sum of `score(row, column)` is the largest possible; rows beyond the number of
/// columns get none. The Hungarian method with potentials.
pub(super) fn assign(rows: usize, columns: usize, score: impl Fn(usize, usize) -> i64) -> Vec<Option<usize>> {
    // Rows 1..=n are brought in one by one; column 0 holds the row that is being placed. Missing columns score nothing.
    let (n, m) = (rows, columns.max(rows));
    let cost = |row: usize, column: usize| if column < columns { -score(row, column) } else { 0 };
    let mut row_potential = vec![0i64; n + 1];
    let mut column_potential = vec![0i64; m + 1];
    let mut row_of = vec![0usize; m + 1];
    let mut before = vec![0usize; m + 1];
    for row in 1..=n {
        row_of[0] = row;
        let mut here = 0;
        let mut slack = vec![i64::MAX; m + 1];
        let mut visited = vec![false; m + 1];
        loop {
            visited[here] = true;
            let current = row_of[here];
            let (mut delta, mut next) = (i64::MAX, 0);
            for column in 1..=m {
                if visited[column] {
                    continue;
                }
                let reduced = cost(current - 1, column - 1) - row_potential[current] - column_potential[column];
                if reduced < slack[column] {
                    slack[column] = reduced;
                    before[column] = here;
                }
                if slack[column] < delta {
                    (delta, next) = (slack[column], column);
                }
            }
            for column in 0..=m {
                if visited[column] {
                    row_potential[row_of[column]] += delta;
                    column_potential[column] -= delta;
                } else if slack[column] != i64::MAX {
                    slack[column] -= delta;
                }
            }
            here = next;
            if row_of[here] == 0 {
                break;
            }
        }
        while here != 0 {
            row_of[here] = row_of[before[here]];
            here = before[here];
        }
    }
    let mut result = vec![None; n];
    for column in 1..=columns {
        if row_of[column] > 0 {
            result[row_of[column] - 1] = Some(column - 1);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best_by_force(table: &[Vec<i64>], row: usize, used: &mut Vec<bool>) -> i64 {
        if row == table.len() {
            return 0;
        }
        let mut best = best_by_force(table, row + 1, used);
        for column in 0..used.len() {
            if !used[column] {
                used[column] = true;
                best = best.max(table[row][column] + best_by_force(table, row + 1, used));
                used[column] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_other_pairing_scores_more(rows in 0usize..5, columns in 0usize..6, seed in proptest::collection::vec(0i64..20, 30)) {
            let table: Vec<Vec<i64>> = (0..rows).map(|r| (0..columns).map(|c| seed[r * 6 + c]).collect()).collect();
            let pairs = assign(rows, columns, |r, c| table[r][c]);
            let mut taken: Vec<_> = pairs.iter().flatten().collect();
            taken.sort();
            taken.dedup();
            prop_assert_eq!(taken.len(), rows.min(columns));
            let sum: i64 = pairs.iter().enumerate().filter_map(|(r, c)| Some(table[r][(*c)?])).sum();
            prop_assert_eq!(sum, best_by_force(&table, 0, &mut vec![false; columns]));
        }
    }

    #[test]
    fn large_tables_are_refused_by_size_alone() {
        assert!(affordable(10, 10_000));
        assert!(!affordable(10, 30_000));
        assert!(!affordable(600, 300));
    }
}
