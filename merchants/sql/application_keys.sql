-- Keys and hashes of applications (docs/rules/applications.md); made once, by a migration.

-- The state is the last step of the history, and what was submitted is there as a version.
ALTER TABLE public.merchants_application
  ADD CONSTRAINT application_has_history FOREIGN KEY (merchant_id, id, sequence, state)
    REFERENCES public.merchants_application_transition
      (merchant_id, application_id, sequence, to_state) DEFERRABLE INITIALLY DEFERRED,
  ADD CONSTRAINT application_first_is_person FOREIGN KEY
    (first_reviewer_id, first_reviewer_person_id) REFERENCES public.foundation_user (id, person_id),
  ADD CONSTRAINT application_second_is_person FOREIGN KEY
    (second_reviewer_id, second_reviewer_person_id)
    REFERENCES public.foundation_user (id, person_id),
  -- Whoever had a hand in the content reviews nothing of it, under no account.
  ADD CONSTRAINT application_makers_review_nothing CHECK (
    NOT coalesce(first_reviewer_person_id = ANY (makers), false)
    AND NOT coalesce(second_reviewer_person_id = ANY (makers), false));
ALTER TABLE public.merchants_application_version
  ADD CONSTRAINT application_version_hash
    CHECK (sha256 = encode(sha256(convert_to(content, 'UTF8')), 'hex'));
ALTER TABLE public.merchants_application_evidence
  ADD CONSTRAINT application_evidence_hash
    CHECK (sha256 = encode(sha256(convert_to(content, 'UTF8')), 'hex'));
ALTER TABLE public.merchants_application_owner
  ADD CONSTRAINT application_owner_through FOREIGN KEY (merchant_id, application_id, through_no)
    REFERENCES public.merchants_application_owner (merchant_id, application_id, line_no)
    DEFERRABLE INITIALLY DEFERRED;
