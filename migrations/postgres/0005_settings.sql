-- Whether callers of a queue have answered another version of its question.

CREATE INDEX consents_by_question ON consents (queue, language, question_sha256);
