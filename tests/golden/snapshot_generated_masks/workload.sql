insert into g (id, a) values (3, 'more'); update g set a = 'x'; delete from g;
