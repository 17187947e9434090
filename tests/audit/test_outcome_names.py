import pytest

from pql_model.audit.outcome_names import says_outcome, value_says_outcome


@pytest.mark.parametrize(
    "event",
    [
        "Converted",
        "Trial Converted",
        "trial_converted",
        "trialConverted",
        "Subscription Started",
        "subscriptionstarted",
        "customer.subscription.created",
        "Payment Succeeded",
        "payment-succeeded",
        "charge.succeeded",
        "checkout.session.completed",
        "invoice.paid",
        "Plan Upgraded",
        "account_upgraded",
        "in_app_purchase",
        "Deal Won",
        "Abo abgeschlossen",
        "Rechnung bezahlt",
        "Paiement réussi",
        "Suscripción iniciada",
        "pago_realizado",
        "Assinatura ativada",
        "Abbonamento attivato",
        "Betaling gelukt",
        "Оплата прошла",
        "支付成功",
        "購入完了",
    ],
)
def test_a_payment_that_has_happened_says_the_outcome(event):
    assert says_outcome(event) is not None


@pytest.mark.parametrize(
    "event",
    [
        "Viewed pricing",
        "Checkout started",
        "begin_checkout",
        "Upgrade clicked",
        "Added payment method",
        "add_payment_info",
        "payment_failed",
        "Subscription page viewed",
        "Purchase button clicked",
        "Trial started",
        "Subscription canceled",
        "Payment reminder email",
        "Project completed",
        "login",
        "",
    ],
)
def test_a_step_on_the_way_does_not(event):
    assert says_outcome(event) is None


@pytest.mark.parametrize("value", ["converted", "is_paying", "planPrice", "MRR", "won", "premium"])
def test_values_that_may_say_who_pays(value):
    assert value_says_outcome(value) is not None


@pytest.mark.parametrize("value", ["megabytes", "seats", "duration_ms", "score", "cart_items"])
def test_other_values(value):
    assert value_says_outcome(value) is None
