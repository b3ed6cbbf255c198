"""The marks behind the words of a suite. They carry our name, so that they are nobody else's."""

POLICY, SETTINGS, CHANGE = "tetraproof_policy", "tetraproof_settings", "tetraproof_change"
CASES = "tetraproof_cases"
INSTALLED, LIMIT, FINDING = "tetraproof_installation", "tetraproof_limit", "tetraproof_finding"

#: As pytest is told them.
LINES = (
    f"{POLICY}(*names): what the suite judges",
    f"{SETTINGS}(name, agent): a suite without a policy, under these settings of the agent",
    f"{CASES}(*cases): cases of features of the policy language, each with a policy of its own",
    f"{CHANGE}(*names, under): changes of the installation, each made while a policy is in force",
    f"{INSTALLED}(): what is installed, as it was found",
    f"{LIMIT}(label): the test tells how far a policy reaches",
    f"{FINDING}(known): the promise is known to be refuted where the finding's evidence shows",
)
