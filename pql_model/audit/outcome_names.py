"""Names of events and values that say the outcome itself: a payment, a subscription, a conversion that has happened."""

from __future__ import annotations

import re
import unicodedata

from pql_model.discovery.vocabulary import vocabulary, words

_DONE = vocabulary(
    "converted conversion subscribed purchased paid upgraded bought charged won premium "
    "bezahlt gekauft abonniert konvertiert beauftragt "
    "paye payee achete achetee abonne abonnee souscrit souscrite "
    "pagado pagada comprado comprada suscrito suscrita convertido convertida contratado "
    "pagou comprou assinou assinado pagato pagata acquistato acquistata abbonato abbonata convertito convertita "
    "betaald gekocht geabonneerd geconverteerd geupgraded "
    "betalt kobt kopt kupiono zaplacono oplacono satinalindi odendi "
    "оплачено оплатил оплачен оплачена куплено купил"
)
"""Words that say it alone."""
_THINGS = vocabulary(
    "payment charge invoice subscription plan membership checkout order purchase trial deal opportunity billing license licence "
    "contract upgrade transaction sale paywall tier "
    "zahlung rechnung abo abonnement kauf bestellung vertrag tarif "
    "paiement facture achat commande forfait souscription pago factura compra pedido suscripcion "
    "pagamento fatura assinatura plano fattura acquisto ordine abbonamento piano betaling factuur aankoop bestelling "
    "prenumeration kop kob platnosc zamowienie odeme abonelik оплата платеж подписка покупка заказ"
)
_ACTS = vocabulary("purchase payment subscription kauf zahlung achat paiement compra pago pagamento acquisto betaling")
"""Things that name the act where they end the name: `in_app_purchase`."""
_OTHER_THINGS = vocabulary("checkout start begin initiate trial free cancel fail try attempt request view click")
_HAPPENED = vocabulary(
    "succeeded success successful successfully completed complete paid received confirmed captured settled processed won "
    "activated upgraded converted renewed signed purchased bought done finished placed "
    "erfolgreich abgeschlossen eingegangen erhalten bestatigt aktiviert erfolgt gebucht "
    "reussi reussie effectue effectuee complete completee confirme confirmee active activee recu validee valide "
    "completado completada exitoso exitosa realizado realizada confirmado confirmada activado activada recibido "
    "concluido concluida aprovado aprovada recebido ativado ativada "
    "completato completata riuscito riuscita confermato confermata attivato attivata ricevuto effettuato "
    "gelukt voltooid ontvangen bevestigd geactiveerd afgerond geslaagd "
    "прошла прошел успешно завершена завершен получена получен"
)
_LASTING = vocabulary(
    "subscription membership license licence contract abo abonnement souscription suscripcion assinatura abbonamento "
    "prenumeration подписка vertrag"
)
"""Things that are bought as soon as they begin."""
_BEGUN = vocabulary(
    "started created began gestartet begonnen erstellt demarre demarree commence cree creee iniciado iniciada creado creada "
    "criado criada iniziato iniziata creato creata gestart aangemaakt оформлена начата"
)
_NOT_YET = vocabulary(
    "failed failure fail declined denied rejected clicked click viewed view seen opened visited page screen modal button link form "
    "method abandoned attempted attempt requested request reminder reminded email mail newsletter notification shown "
    "displayed dismissed expired expiring expires ended ending canceled cancelled refunded selected hovered tooltip banner "
    "prompt intent initiated draft pending offer offered quote preview updated info details entered added add card cart"
)
"""Words that say a step on the way, or the opposite."""
_VALUES = vocabulary(
    "converted conversion paid paying payer customer subscribed subscriber subscription premium mrr arr revenue billing "
    "won outcome purchased upgraded plan price kunde bezahlt client abonne cliente pagado pagante assinante pagante klant"
)
_PHRASES = (
    *("成約", "購入", "支払い完了", "決済完了"),
    *("付费成功", "支付成功", "购买", "已付款"),
    *("결제완료", "구매", "유료전환"),
)
_COMPOUND = re.compile(
    "("
    + "|".join(sorted(_THINGS, key=len, reverse=True))
    + ")("
    + "|".join(sorted(_HAPPENED | _BEGUN, key=len, reverse=True))
    + ")"
)


def says_outcome(event: str) -> str | None:
    """Return the words of an event's name that say a payment or conversion has happened, if any.

    >>> says_outcome("Subscription Started"), says_outcome("payment_succeeded"), says_outcome("trialConverted")
    ('subscription started', 'payment succeeded', 'converted')
    >>> says_outcome("Checkout Started"), says_outcome("Upgrade clicked"), says_outcome("Payment failed")
    (None, None, None)
    """
    parts = _words(event)
    if _NOT_YET.intersection(parts):
        return None
    if phrase := next((phrase for phrase in _PHRASES if phrase in event), None):
        return phrase
    if alone := next((part for part in parts if part in _DONE), None):
        return alone
    if parts and parts[-1] in _ACTS and not _OTHER_THINGS.intersection(parts):
        return parts[-1]
    thing = next((part for part in parts if part in _THINGS), None)
    lasting = next((part for part in parts if part in _LASTING), None)
    if thing is not None and (happened := next((part for part in parts if part in _HAPPENED), None)):
        return f"{thing} {happened}"
    if lasting is not None and (begun := next((part for part in parts if part in _BEGUN), None)):
        return f"{lasting} {begun}"
    return None


def value_says_outcome(value: str) -> str | None:
    """Return the word in a value's name that suggests it says who pays, if any.

    >>> value_says_outcome("is_paying"), value_says_outcome("planPrice"), value_says_outcome("megabytes")
    ('paying', 'plan', None)
    """
    parts = _words(value)
    return next((part for part in parts if part in _VALUES or part in _DONE), None)


def _words(name: str) -> list[str]:
    """Lower-case words without accents; two known words written as one are taken apart."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    parts: list[str] = []
    for part in words(plain):
        compound = _COMPOUND.fullmatch(part)
        parts += compound.groups() if compound else [part]
    return parts
