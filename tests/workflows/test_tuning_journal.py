import threading

from pql_model.progress import Silent
from pql_model.workflows.tuning_journal import TuningJournal


class Ear(Silent):
    def __init__(self):
        self.heard = []

    def say(self, sentence):
        self.heard.append(sentence)


def journal(home, digest="d", trials=30):
    return TuningJournal.of(home, digest, trials)


def test_the_same_problem_with_the_same_number_of_trials_has_the_same_journal(tmp_path):
    assert journal(tmp_path).path == journal(tmp_path).path == tmp_path / ".pql" / "tuning" / "d-30.journal"
    assert len({journal(tmp_path, *of).path for of in (("d", 30), ("d", 31), ("e", 30))}) == 3


def test_a_journal_is_removed_once_its_training_is_done(tmp_path):
    with journal(tmp_path).open(Silent()) as path:
        path.write_text("trials")
    assert path.exists()  # a run that breaks off from here on resumes
    journal(tmp_path).forget()
    assert not path.exists()
    journal(tmp_path).forget()  # twice is no error


def test_a_journal_in_use_by_another_training_is_not_removed(tmp_path):
    with journal(tmp_path).open(Silent()) as path:
        path.write_text("trials")
        journal(tmp_path).forget()
        assert path.exists()


def test_a_second_training_of_the_same_data_waits_with_a_message(tmp_path):
    ear, order = Ear(), []

    def second():
        with journal(tmp_path).open(ear):
            order.append("second")

    with journal(tmp_path).open(Silent()):
        thread = threading.Thread(target=second)
        thread.start()
        while not ear.heard:
            pass
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert ear.heard == ["Another training of the same data is tuning; waiting for it."]


def test_the_optuna_lock_of_a_killed_process_is_removed(tmp_path):
    path = journal(tmp_path).path
    path.parent.mkdir(parents=True)
    (path.parent / "d-30.journal.lock").symlink_to(path)
    with journal(tmp_path).open(Silent()):
        assert not (path.parent / "d-30.journal.lock").is_symlink()
