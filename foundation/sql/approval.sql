-- Which people and contents belong together in approvals (docs/rules/approvals.md). What each
-- write must fulfil stands in approval_guard.sql.

ALTER TABLE public.foundation_approval
  ADD CONSTRAINT approval_maker_is_person FOREIGN KEY (maker_id, maker_person_id)
    REFERENCES public.foundation_user (id, person_id);
ALTER TABLE public.foundation_approval_decision
  ADD CONSTRAINT approval_checker_is_person FOREIGN KEY (checker_id, checker_person_id)
    REFERENCES public.foundation_user (id, person_id),
  ADD CONSTRAINT approval_decided_content
    FOREIGN KEY (merchant_id, approval_id, maker_person_id, content_sha256)
    REFERENCES public.foundation_approval (merchant_id, id, maker_person_id, content_sha256);
