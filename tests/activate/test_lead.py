from pql_model.activate.lead import Lead, message_id


def test_the_id_follows_from_product_target_entity_and_qualification():
    ids = {
        message_id("boards", "crm", [("a", 1)]),
        message_id("boards", "crm", [("a", 2)]),
        message_id("boards", "crm", [("b", 1)]),
        message_id("boards", "other", [("a", 1)]),
        message_id("cards", "crm", [("a", 1)]),
        message_id("boards", "crm", [("a", 1), ("b", 1)]),
    }
    assert len(ids) == 6
    assert all(identifier.startswith("msg_") and "." not in identifier for identifier in ids)


def test_the_id_of_a_message_of_several_leads_does_not_depend_on_their_order():
    assert message_id("boards", "crm", [("a", 1), ("b", 1)]) == message_id("boards", "crm", [("b", 1), ("a", 1)])


def test_the_id_is_the_same_in_every_release():
    assert message_id("boards", "crm", [Lead("ü🚀", 7, {}).key]) == "msg_9980bc3334929942e7bf35bf2d4a4f8c"
