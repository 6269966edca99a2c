"""The complete workflows with quality gates: ``scripts/run_e2e_tests.sh`` runs them."""
